/*
** refuse.h: where in the values the object is that cannot be sent.
** Stands on encode.h; writes no bytes.
*/
#ifndef lc_refuse_h
#define lc_refuse_h

#include "encode.h"

/*
** Pushes number, way and description of the refused object in slot `bad`
** (codec.h says how they look). Raises on lack of memory.
*/
void lc_refuse_push (lua_State *L, Enc *e);

#endif
