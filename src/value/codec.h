/*
** codec.h: values of one Lua state to and from flat bytes. This is all that
** the floors above use of src/value/ (with message.h and object.h).
**
** One codec belongs to one state (main thread and all its coroutines) and is
** used by the thread that runs that state. It keeps what the state remembers
** between messages: identities of functions and classes, code it has loaded,
** names of modules, scratch memory. No threads, no locks in this floor;
** what two states share (code, images of classes, identities, handles) is
** immutable or atomic and counted (base/shared.h).
**
** What is worth knowing of the values:
** - A class (a table that is a metatable in the record, or has a raw field
**   __index) is a unit, read once for many records: what is shared inside of
**   it stays shared, and classes name each other; but a plain table or a
**   function that it shares with another class or with the rest of a record
**   arrives once for each of them.
** - Only the state that made a class says what is in it. Elsewhere its table
**   is filled again, in place, when a newer content arrives.
** - A table whose metatable has __gc is refused unless there is a
**   __transfer: two finalizers would share one resource. __close may go.
** - A __transfer metamethod is called once in a record; what it gives is
**   complete when the receiver calls the function with it, but for objects
**   that the call itself is part of. It must not change what is being sent.
** - A Lua memory error inside lc_encode keeps its message ("not enough
**   memory"), but its status is that of an ordinary error.
** - There is no fixed layout: bytes are for this process.
*/
#ifndef lc_codec_h
#define lc_codec_h

#include <lua.h>

#include "message.h"

typedef struct Codec Codec;

/*
** The state's codec, made at the first call and kept in the registry until
** the state closes. Raises a Lua error when there is no memory; leaves the
** stack as it was. `mem` (used at the first call only) outlives the state; its
** limit, if it has one, is also that of each record that the codec writes.
*/
Codec *lc_codec_open (lua_State *L, Mem *mem);

/*
** A new `map` or `submit` begins: classes that are sent from here on are
** read again ("content as at the map or submit"), and the index of module
** names is brought up to date if modules were loaded since. Costs nothing by
** itself: the looking is done when a record needs it. In a worker's state,
** each task begins with it. Raises nothing.
*/
void lc_codec_begin (lua_State *L, Codec *c);

/*
** From now on what this state sends is data: no function and no class that was
** made in it, no name of a module but the standard ones and lacus's. So who
** receives it runs no code of this state. What came from elsewhere may go back.
*/
void lc_codec_seal (Codec *c);
/* Not for the next lc_encode: it goes to a state like this one. */
void lc_codec_unseal_next (Codec *c);

typedef enum EncodeResult {
  LC_ENCODED,
  LC_REFUSED,      /* a value that cannot be sent: see below */
  LC_NOMEM         /* ours, not Lua's; nothing is pushed */
} EncodeResult;

/*
** Appends one record to `m`: the `n` values at stack positions first ..
** first + n - 1 of `L` (absolute). References shared between those values
** stay shared; a record knows nothing of the records before it.
** On failure `m` is as it was, to the byte (it may hold spare refs until it
** is cleared). LC_REFUSED pushes three values that say what and where:
**   1. integer: which of the n values (1..n);
**   2. string: the way from there, "" or ".config.handlers[3]" or
**      ".done, upvalue 'file' of function at script.lua:12";
**   3. string: what it is, with its article: "a coroutine", "a FILE* handle".
** May raise a Lua error (memory, or an error inside a __transfer
** metamethod): `m` is then as it was too.
** Scripts' code may run in it (__transfer, __gc), which must not come to `m`: the
** caller sees to that.
*/
EncodeResult lc_encode (lua_State *L, Codec *c, Message *m, int first, int n);
/* Likewise, if that needs no code of scripts and raises nothing: most values are so. 0:
** it does, and `m` is as it was. */
int lc_encode_quick (lua_State *L, Codec *c, Message *m, int first, int n,
                     EncodeResult *result);

/*
** The identity of the function at `idx` (absolute), if it has crossed a border before as
** code and has no upvalue but the globals: its record is the same each time. Else NULL.
** Raises nothing.
*/
const Shared *lc_codec_repeats (lua_State *L, const Codec *c, int idx);

/*
** Pushes the values of the record at *pos, moves *pos behind it, and gives
** their number. Raises a Lua error (a string or what `require` or a
** __transfer function raised) when a module is missing, a function does not
** load, memory runs out or the bytes are not a record: so call it protected.
** It makes room on the stack itself. `m` stays the caller's, unchanged: scripts'
** code may run in it, which must not come to `m` either.
*/
int lc_decode (lua_State *L, Codec *c, const Message *m, size_t *pos);

/*
** The same for bytes that this process has not written: plain data is all
** that is welcome. A record that would name a module, run code, make a
** metatable or a pointer is refused by an error. Whatever the bytes are, no
** more memory is taken than some hundred times their number.
*/
int lc_decode_plain (lua_State *L, Codec *c, const Message *m, size_t *pos);

#endif
