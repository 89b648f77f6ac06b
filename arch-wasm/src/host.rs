//! The imports: one function per row of `abi::hypercall`.

macro_rules! ret {
    (()) => {
        ()
    };
    ($t:tt) => {
        $t
    };
}
macro_rules! imports {
    (@munch {$($done:tt)*}) => {
        // The whole table is declared, whether or not the kernel uses all of it yet.
        #[allow(dead_code)]
        #[link(wasm_import_module = "host")]
        unsafe extern "C" { $($done)* }
    };
    (@munch {$($done:tt)*} $(#[$doc:meta])* blocks $name:ident($($arg:ident: $ty:ty),*) -> $ret:tt; $($rest:tt)*) => {
        imports!(@munch {$($done)* $(#[$doc])* pub safe fn $name($($arg: $ty),*) -> ret!($ret);} $($rest)*);
    };
    (@munch {$($done:tt)*} $(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $ret:tt; $($rest:tt)*) => {
        imports!(@munch {$($done)* $(#[$doc])* pub safe fn $name($($arg: $ty),*) -> ret!($ret);} $($rest)*);
    };
    ($($all:tt)*) => { imports!(@munch {} $($all)*); };
}
abi::hypercalls!(imports);
