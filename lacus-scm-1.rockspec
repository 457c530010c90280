rockspec_format = "3.0"
package = "lacus"
version = "scm-1"
source = {
  url = "git+https://example.invalid/lacus.git",
}
description = {
  summary = "A pool of worker threads for Lua, with coroutines as generators",
  detailed = [[
    lacus maps generators over worker threads, each with a Lua state of its own,
    and hands results back as they arrive, in bounded memory.]],
  license = "MIT",
  labels = { "threads", "concurrency", "coroutine", "generator" },
}
dependencies = { "lua ~> 5.4" }
test = { type = "command", command = "make test" }
build = {
  type = "builtin",
  modules = {
    -- The Makefile's list without the host; `make lists` compares the two.
    lacus = {
      sources = {
        "src/base/clock.c",
        "src/base/mem.c",
        "src/base/thread.c",
        "src/base/park.c",
        "src/base/shared.c",
        "src/base/random.c",
        "src/value/message.c",
        "src/value/common.c",
        "src/value/scratch.c",
        "src/value/state.c",
        "src/value/decode.c",
        "src/value/hosted.c",
        "src/value/names.c",
        "src/value/object.c",
        "src/value/recall.c",
        "src/value/decode_ident.c",
        "src/value/encode.c",
        "src/value/encode_ident.c",
        "src/value/image.c",
        "src/value/refuse.c",
        "src/value/record.c",
        "src/run/timer.c",
        "src/run/fiber.c",
        "src/run/heap.c",
        "src/run/interrupt.c",
        "src/run/state.c",
        "src/run/worker.c",
        "src/pool/call.c",
        "src/pool/batch.c",
        "src/pool/env.c",
        "src/pool/fault.c",
        "src/pool/home.c",
        "src/pool/run.c",
        "src/pool/stream.c",
        "src/pool/future.c",
        "src/pool/crew.c",
        "src/pool/schedule.c",
        "src/pool/watch.c",
        "src/pool/post.c",
        "src/pool/pool.c",
        "src/lib/generator.c",
        "src/lib/body.c",
        "src/lib/range.c",
        "src/lib/lib.c",
        "src/lib/lib_error.c",
        "src/lib/lib_pool.c",
        "src/lib/source.c",
        "src/lib/lib_option.c",
        "src/lib/lib_wait.c",
        "src/lib/lib_future.c",
        "src/lib/lib_generate.c",
        "src/lib/lib_results.c",
        "src/lib/lib_random.c",
        "src/lib/lib_coroutine.c",
        "src/lib/lib_process.c",
        "src/lib/lib_worker.c",
      },
    },
    ["lacus.fold"] = "lua/lacus/fold.lua",
    ["lacus.sugar"] = "lua/lacus/sugar.lua",
    ["lacus.types"] = "lua/lacus/types.lua",
  },
  platforms = {
    linux = { modules = { lacus = { libraries = { "pthread" } } } },
  },
}
