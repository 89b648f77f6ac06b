;; The same by exceptions.
(module
 (tag $e)
 (func $throw (throw $e))
 (func (export "throws") (loop $l (block (try_table (catch_all $l) (call $throw)))))
 (func $loopthrow (local i32) (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 500)))) (throw $e))
 (func (export "loopthrows") (loop $l (block (try_table (catch_all $l) (call $loopthrow)))))
 (func (export "_start")))
