/*
** embed [--source] HEADER TABLE FILE.lua...: writes a C file that holds each
** file's bytecode; or its text, for a Lua that is not known yet.
**
** It runs while lacus is built, with the Lua that lacus is linked with, and
** prints the TABLE of LcSugar that src/HEADER declares. Debug information is kept, so
** that a traceback through the sugar names a line; it names "lacus/NAME.lua", not
** the folder where the build happened to lie.
*/

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lua.h>
#include <lauxlib.h>

typedef struct Output {
  size_t len;
} Output;

static void fail (const char *what, const char *why) {
  fprintf(stderr, "embed: %s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

/* "lua/lacus/map.lua" to "map"; the caller frees. */
static char *module_name (const char *path) {
  const char *base = strrchr(path, '/');
  size_t len;
  char *name;
  base = base ? base + 1 : path;
  len = strlen(base);
  if (len < 5 || strcmp(base + len - 4, ".lua") != 0)
    fail(path, "is not a .lua file");
  name = (char *)malloc(len);
  if (name == NULL)
    fail(path, "not enough memory");
  memcpy(name, base, len - 4);
  name[len - 4] = '\0';
  return name;
}

static char *read_file (const char *path, size_t *len) {
  FILE *f = fopen(path, "rb");
  char *text = NULL;
  size_t size = 0, got;
  if (f == NULL)
    fail(path, strerror(errno));
  *len = 0;
  do {
    if (*len == size) {
      size = size ? size * 2 : 4096;
      text = (char *)realloc(text, size);
      if (text == NULL)
        fail(path, "not enough memory");
    }
    got = fread(text + *len, 1, size - *len, f);
    *len += got;
  } while (got > 0);
  if (ferror(f))
    fail(path, strerror(errno));
  fclose(f);
  return text;
}

static int write_bytes (lua_State *L, const void *p, size_t n, void *ud) {
  const unsigned char *bytes = (const unsigned char *)p;
  Output *out = (Output *)ud;
  size_t i;
  (void)L;
  for (i = 0; i < n; i++)
    printf("%u,%s", bytes[i], ++out->len % 20 == 0 ? "\n" : "");
  return 0;
}

static size_t embed (lua_State *L, const char *path, const char *name,
                     int source) {
  Output out = {0};
  size_t len;
  char *text = read_file(path, &len);
  lua_pushfstring(L, "@lacus/%s.lua", name);
  if (luaL_loadbufferx(L, text, len, lua_tostring(L, -1), "t") != LUA_OK)
    fail(path, lua_tostring(L, -1));
  printf("static const unsigned char %s_lua[] = {\n", name);
  if (source) write_bytes(L, text, len, &out);
  else lua_dump(L, write_bytes, &out, 0);
  printf("};\n\n");
  lua_settop(L, 0);
  free(text);
  return out.len;
}

int main (int argc, char **argv) {
  lua_State *L = luaL_newstate();
  char **names = (char **)calloc((size_t)argc, sizeof(char *));
  size_t *sizes = (size_t *)calloc((size_t)argc, sizeof(size_t));
  int source = argc > 1 && strcmp(argv[1], "--source") == 0;
  int i;
  if (L == NULL || names == NULL || sizes == NULL)
    fail("start", "not enough memory");
  if (argc < 3 + source)
    fail("usage", "embed [--source] HEADER TABLE FILE.lua...");
  argc -= source;
  argv += source;
  printf("/* Made by tools/embed.c: do not edit. */\n\n");
  printf("#include \"%s\"\n\n", argv[1]);
  for (i = 3; i < argc; i++) {
    names[i] = module_name(argv[i]);
    sizes[i] = embed(L, argv[i], names[i], source);
  }
  printf("const LcSugar %s[] = {\n", argv[2]);
  for (i = 3; i < argc; i++)
    printf("  {\"%s\", %s_lua, %lu},\n", names[i], names[i],
           (unsigned long)sizes[i]);
  printf("  {NULL, NULL, 0}\n};\n");
  for (i = 3; i < argc; i++)
    free(names[i]);
  free(names);
  free(sizes);
  lua_close(L);
  if (fflush(stdout) != 0 || ferror(stdout))
    fail("output", strerror(errno));
  return EXIT_SUCCESS;
}
