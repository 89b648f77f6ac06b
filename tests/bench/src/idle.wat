;; Writes a byte to say that it is there, then sleeps for ten hours.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; One iovec: the byte at 0.
  (data (i32.const 16) "\00\00\00\00\01\00\00\00")
  ;; A subscription: a clock (tag 0), the monotonic one, 36e12 ns from now.
  (data (i32.const 80) "\01\00\00\00\00\00\00\00\00\40\36\e7\bd\20\00\00")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
    (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 192)))))
