;; The smallest kernel that shows what the machine does. It runs each blob of the boot image as an
;; lwp (blob 2 is lwp 1) and halts when all are gone, with the status `exit code << 8 | reason` of
;; lwp 1. Its "system calls" borrow numbers of the real table and mean what is said at `$trap`.
(module
  (import "env" "memory" (memory 4 32 shared))
  (import "host" "cons_write" (func $cons_write (param i32 i32)))
  (import "host" "clock" (func $clock (param i32 i32) (result i64)))
  (import "host" "park" (func $park (param i32 i32 i64) (result i32)))
  (import "host" "unpark" (func $unpark (param i32 i32) (result i32)))
  (import "host" "lwp_create" (func $lwp_create (param i32 i32) (result i32)))
  (import "host" "lwp_kick" (func $lwp_kick (param i32 i32)))
  (import "host" "vmspace_create" (func $vmspace_create (param i32 i32 i64) (result i32)))
  (import "host" "vmspace_destroy" (func $vmspace_destroy (param i32) (result i32)))
  (import "host" "vmspace_ctl" (func $vmspace_ctl (param i32 i32 i64) (result i64)))
  (import "host" "image_blob" (func $image_blob (param i32) (result i32)))
  (import "host" "image_error" (func $image_error (param i32 i32) (result i32)))
  (import "host" "dev_rw" (func $dev_rw (param i32 i32 i32 i32) (result i32)))
  (import "host" "halt" (func $halt (param i32)))
  (import "host" "panic" (func $panic (param i32 i32)))

  (type $copy (func (param i32 i32 i32) (result i32)))
  (type $put64 (func (param i32 i64) (result i32)))
  (table (export "__indirect_function_table") 3 funcref)
  (global $sp (export "__stack_pointer") (mut i32) (i32.const 65536))
  ;; Where things are: 256 slot, 260 live lwps, 264 ticks; 1024 + 4n semaphores; 2048 + 4n devices;
  ;; 4096 + 64n lwps: image, exit code, reason, image to exec, killed.
  (data (i32.const 512) "answer 42\nodd line\n")
  (data (i32.const 640) "all is lost")

  (func (export "hypercall_version") (result i32) (i32.const 5))
  (func (export "uaccess") (param i32) (i32.store (i32.const 256) (local.get 0)))
  (func (export "boot") (result i32) (i32.store (i32.const 268) (i32.const 77)) (i32.const 0))

  (func $lwp (param i32) (result i32)
    (i32.add (i32.const 4096) (i32.shl (local.get 0) (i32.const 6))))

  (func (export "start") (result i32) (local $n i32) (local $image i32)
    (if (i32.ne (i32.load (i32.const 268)) (i32.const 77)) (then (return (i32.const -29))))
    (loop $each
      (local.set $image (call $image_blob (i32.add (local.get $n) (i32.const 2))))
      (if (i32.eq (local.get $image) (i32.const -45)) ;; ENOEXEC
        (then
          (call $cons_write (i32.const 131072) (call $image_error (i32.const 131072) (i32.const 4096)))
          (return (local.get $image))))
      (if (i32.gt_s (local.get $image) (i32.const 0))
        (then
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (i32.store (call $lwp (local.get $n)) (local.get $image))
          (br_if $each
            (i32.eqz (i32.or
              (call $vmspace_create (local.get $n) (local.get $image) (i64.const 0x200000))
              (call $lwp_create (local.get $n) (local.get $n)))))
          (return (i32.const -48)))))
    (i32.store (i32.const 260) (local.get $n))
    (i32.const 0))
  (func (export "first_lwp") (result i32) (i32.const 1))
  (func (export "cpu_stack") (result i32) (i32.const 0))
  (func (export "kstack") (param i32) (result i32)
    (i32.add (i32.const 196608) (i32.shl (local.get 0) (i32.const 12))))

  (func (export "lwp_next") (param $n i32) (param $reason i32) (param $detail i32) (result i64)
    (local $me i32) (local $exec i32)
    (local.set $me (call $lwp (local.get $n)))
    (local.set $exec (i32.load offset=12 (local.get $me)))
    (if (i32.load offset=16 (local.get $me)) (then (local.set $reason (i32.const 3))))
    (if (i32.or (i32.eqz (local.get $reason))
                (i32.and (i32.ne (local.get $exec) (i32.const 0)) (i32.eq (local.get $reason) (i32.const 2))))
      (then
        (if (local.get $exec) (then (i32.store (local.get $me) (local.get $exec))))
        (i32.store offset=12 (local.get $me) (i32.const 0))
        (return (i64.or (i64.const 1) (i64.shl (i64.extend_i32_u (i32.load (local.get $me))) (i64.const 32))))))
    (i32.store offset=8 (local.get $me) (local.get $reason))
    (if (local.get $detail) (then (i32.store offset=4 (local.get $me) (local.get $detail))))
    (i64.const 0))

  (func (export "lwp_gone") (param $n i32)
    (if (call $vmspace_destroy (local.get $n)) (then (unreachable)))
    (i32.store (i32.const 260) (i32.sub (i32.load (i32.const 260)) (i32.const 1)))
    (if (i32.eqz (i32.load (i32.const 260)))
      (then
        (call $halt (i32.or (i32.load offset=8 (call $lwp (i32.const 1)))
                            (i32.shl (i32.load offset=4 (call $lwp (i32.const 1))) (i32.const 8)))))))

  (func (export "intr") (param $irq i32) (param $arg i32) (local $n i32)
    (if (i32.eq (local.get $irq) (i32.const 1)) ;; DEVICE
      (then
        (i32.store (i32.add (i32.const 2048) (i32.shl (local.get $arg) (i32.const 2))) (i32.const 1))
        (drop (call $unpark (i32.add (i32.const 2048) (i32.shl (local.get $arg) (i32.const 2))) (i32.const -1)))))
    (if (i32.eq (local.get $irq) (i32.const 5)) ;; TICK
      (then (i32.store (i32.const 264) (i32.add (i32.load (i32.const 264)) (i32.const 1)))))
    (if (i32.or (i32.eq (local.get $irq) (i32.const 2)) (i32.eq (local.get $irq) (i32.const 3)))
      (then
        (loop $each
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (call $lwp_kick (local.get $n) (i32.const 0))
          (i32.store offset=16 (call $lwp (local.get $n)) (i32.const 1))
          (br_if $each (i32.lt_u (local.get $n) (i32.const 32)))))))

  (func (export "report") (result i64) (i64.or (i64.const 512) (i64.shl (i64.const 19) (i64.const 32))))

  (func $down (param $word i32)
    (loop $again
      (if (i32.eqz (i32.atomic.load (local.get $word)))
        (then (drop (call $park (local.get $word) (i32.const 0) (i64.const -1))) (br $again))))
    (drop (i32.atomic.rmw.sub (local.get $word) (i32.const 1))))

  ;; read and write through a buffer of the lwp's, asleep while the device isn't ready
  (func $rw (param $n i32) (param $unit i32) (param $write i32) (param $ptr i32) (param $len i32) (result i64)
    (local $buf i32) (local $done i32) (local $word i32)
    (local.set $buf (i32.add (i32.const 1048576) (i32.shl (local.get $n) (i32.const 12))))
    (local.set $word (i32.add (i32.const 2048) (i32.shl (local.get $unit) (i32.const 2))))
    (if (i32.gt_u (local.get $len) (i32.const 4096)) (then (local.set $len (i32.const 4096))))
    (if (local.get $write)
      (then (if (call_indirect (type $copy) (local.get $buf) (local.get $ptr) (local.get $len) (i32.load (i32.const 256)))
        (then (return (i64.const -21))))))
    (loop $again
      (i32.store (local.get $word) (i32.const 0))
      (local.set $done (call $dev_rw (local.get $unit) (local.get $write) (local.get $buf) (local.get $len)))
      (if (i32.eq (local.get $done) (i32.const -6))
        (then (drop (call $park (local.get $word) (i32.const 0) (i64.const -1))) (br $again))))
    (if (i32.and (i32.eqz (local.get $write)) (i32.gt_s (local.get $done) (i32.const 0)))
      (then (if (call_indirect (type $copy) (local.get $ptr) (local.get $buf) (local.get $done)
                               (i32.add (i32.load (i32.const 256)) (i32.const 1)))
        (then (return (i64.const -21))))))
    (i64.extend_i32_s (local.get $done)))

  (func (export "signal") (param i32 i32 i64 i64) (result i64) (i64.const 0))
  (func (export "trap") (param $n i32) (param $nr i32) (param $a i64) (param $b i64) (param $c i64)
      (param i64 i64 i64) (result i64) (local $me i32)
    (if (i32.eq (local.get $nr) (i32.const 2)) (then (return (i64.extend_i32_u (local.get $n))))) ;; getpid
    (local.set $me (call $lwp (local.get $n)))
    (if (i32.eq (local.get $nr) (i32.const 1)) ;; exit(code)
      (then
        (i32.store offset=4 (local.get $me) (i32.wrap_i64 (local.get $a)))
        (return (i64.const 0x8000000000000000))))
    (if (i32.eq (local.get $nr) (i32.const 5)) ;; exec(blob)
      (then
        (i32.store offset=12 (local.get $me) (call $image_blob (i32.wrap_i64 (local.get $a))))
        (if (i64.ne (i64.const 0) (call $vmspace_ctl (local.get $n) (i32.const 4)
                                                     (i64.extend_i32_u (i32.load offset=12 (local.get $me)))))
          (then (return (i64.const -48))))
        (return (i64.const 0x8000000000000000))))
    (if (i32.eq (local.get $nr) (i32.const 7)) ;; kill(lwp)
      (then
        (i32.store offset=16 (call $lwp (i32.wrap_i64 (local.get $a))) (i32.const 1))
        (call $lwp_kick (i32.wrap_i64 (local.get $a)) (i32.const 0))
        (return (i64.const 0))))
    (if (i32.eq (local.get $nr) (i32.const 22)) ;; seteuid: take semaphore
      (then (call $down (i32.add (i32.const 1024) (i32.shl (i32.wrap_i64 (local.get $a)) (i32.const 2))))
        (return (i64.const 0))))
    (if (i32.eq (local.get $nr) (i32.const 23)) ;; setegid: give semaphore
      (then
        (drop (i32.atomic.rmw.add (i32.add (i32.const 1024) (i32.shl (i32.wrap_i64 (local.get $a)) (i32.const 2))) (i32.const 1)))
        (return (i64.extend_i32_u
          (call $unpark (i32.add (i32.const 1024) (i32.shl (i32.wrap_i64 (local.get $a)) (i32.const 2))) (i32.const 1))))))
    (if (i32.eq (local.get $nr) (i32.const 31)) ;; clock_gettime(clock, ptr)
      (then (return (i64.sub (i64.const 0) (i64.extend_i32_u
        (call_indirect (type $put64) (i32.wrap_i64 (local.get $b))
          (call $clock (i32.wrap_i64 (local.get $a)) (local.get $n))
          (i32.add (i32.load (i32.const 256)) (i32.const 3))))))))
    (if (i32.eq (local.get $nr) (i32.const 33)) ;; clock_nanosleep(_, _, ns)
      (then (return (i64.extend_i32_u
        (call $park (i32.const 1020) (i32.const 0)
          (i64.add (call $clock (i32.const 1) (i32.const 0)) (local.get $c)))))))
    (if (i32.eq (local.get $nr) (i32.const 40)) ;; read
      (then (return (call $rw (local.get $n) (i32.wrap_i64 (local.get $a)) (i32.const 0)
                              (i32.wrap_i64 (local.get $b)) (i32.wrap_i64 (local.get $c))))))
    (if (i32.eq (local.get $nr) (i32.const 41)) ;; write
      (then (return (call $rw (local.get $n) (i32.wrap_i64 (local.get $a)) (i32.const 1)
                              (i32.wrap_i64 (local.get $b)) (i32.wrap_i64 (local.get $c))))))
    (if (i32.eq (local.get $nr) (i32.const 30)) ;; getrusage: size (1), peak (3)
      (then (return (call $vmspace_ctl (local.get $n) (i32.wrap_i64 (local.get $a)) (i64.const 0)))))
    (if (i32.eq (local.get $nr) (i32.const 36)) ;; reboot: a bug of the kernel's, or a panic
      (then
        (if (i64.eqz (local.get $a)) (then (unreachable)))
        (call $panic (i32.const 640) (i32.const 11))))
    (if (i32.eq (local.get $nr) (i32.const 12)) ;; sched_yield: was it killed?
      (then (return (select (i64.const 0x8000000000000000) (i64.const 0) (i32.load offset=16 (local.get $me))))))
    (if (i32.eq (local.get $nr) (i32.const 3)) (then (return (i64.load32_u (i32.const 264))))) ;; getppid: ticks
    (i64.const -52))
)
