/*
** wire.h: the bytes of a record, as encode.c writes them and decode.c reads
** them. Stands on nothing; knows nothing of Lua.
**
** Integers and doubles lie in the machine's own order, unaligned: bytes do
** not outlive the process.
**
** A simple record (only nil, booleans, numbers, strings, light userdata):
**   byte n (0..127), n values.
** A full record:
**   byte WIRE_FULL,
**   u32 n, u32 nshared, u32 nclass, u64 size of the body,
**   body:   n values, then the bodies that were put off (WIRE_LATER and
**           functions with WIRE_F_LATER), last put off first,
**   shared: nshared times { u32 id, u32 slot }, by rising id,
**   class:  nclass times u32 number of an image among the message's refs.
**
** Every string, table, function, userdata and upvalue cell has an id: 1, 2,
** 3 ... in the order in which a record first meets them. Both sides count;
** ids are never written, except for what is met again. That gets a slot
** (dense, so that the reader keeps an array), and `shared` tells the reader,
** before it starts, which ids it will be asked for.
**
** A table:  tag WIRE_TABLE | bits, byte: room in the hash part (0, or k for
**   2^(k-1)), [byte | u64 items], items, [key, value ... WIRE_END],
**   [metatable]. Among the u64 items stand runs of raw numbers.
** A function:  WIRE_FUNC, bits, u32 ident, u32 code, byte upvalues, then for
**   each upvalue WIRE_CELL and its value, or WIRE_JOIN, u32 slot of a
**   function, byte: which upvalue of that one it is.
*/
#ifndef lc_wire_h
#define lc_wire_h

enum {
  WIRE_FULL = 0x80,          /* first byte of a full record */
  WIRE_HEAD = 1 + 4 + 4 + 4 + 8
};

enum {
  WIRE_NIL, WIRE_FALSE, WIRE_TRUE,
  WIRE_INT2, WIRE_INT4, WIRE_INT8, WIRE_FLT,
  WIRE_STR1, WIRE_STR4, WIRE_STR8,        /* by width of the length */
  WIRE_REF,                               /* u32 slot */
  WIRE_LIGHT,                             /* a pointer */
  WIRE_GLOBALS,
  WIRE_NAME,                              /* byte n, n strings */
  WIRE_LATER,                             /* a table; its body comes later */
  WIRE_FUNC,
  WIRE_CLASS,                             /* u32 ref: an ident */
  WIRE_OBJECT,                            /* u32 ref: a thing of ours */
  WIRE_HOSTED,                            /* u32 ref: a host's thing */
  WIRE_PACKED,                            /* type name, STR8 */
  WIRE_TRANSFER,                          /* u32 n, function, n values */
  WIRE_END,
  WIRE_RUNF, WIRE_RUN1, WIRE_RUN2, WIRE_RUN4, WIRE_RUN8,   /* u32 n, raw */
  WIRE_CELL, WIRE_JOIN,
  WIRE_TABLE = 0x30,                      /* to 0x3f: with bits */
  WIRE_REF0 = 0x40,                       /* to 0x5f: slot 1..31 */
  WIRE_STR0 = 0x60,                       /* to 0x7f: length 0..31 */
  WIRE_INT0 = 0x80                        /* to 0xff: -16..111 */
};

enum { WIRE_T_SMALL = 1, WIRE_T_BIG = 2, WIRE_T_HASH = 4, WIRE_T_META = 8 };
enum { WIRE_F_KEPT = 1, WIRE_F_LATER = 2 };

/* The items of a table that WIRE_T_SMALL can count. */
#define WIRE_SMALL 47
/* Where a chain of containers stops being written in place. */
#define WIRE_DEPTH 100
/* The most that C functions nest, with __transfer values in between. */
#define WIRE_DEPTH_MAX 180

#endif
