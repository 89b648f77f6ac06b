//! `loader::prepare` as a module of its own: a page fetches it when somebody first runs a program that
//! is not of the image, so the prompt doesn't wait for it. It is most of the loader's size.
//!
//! An instance prepares one program and is thrown away, with the memory that it took:
//!
//!     room(length)  where to write the program
//!     prepare()     1: made, 0: refused
//!     at(), len()   the prepared program, or why it was refused, in words

use std::sync::Mutex;

/// First the program, then the answer.
static BYTES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *const u8 {
    let mut bytes = BYTES.lock().unwrap();
    *bytes = vec![0; length];
    bytes.as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn prepare() -> u32 {
    let mut bytes = BYTES.lock().unwrap();
    let result = loader::prepare(&bytes);
    let made = result.is_ok();
    *bytes = result.unwrap_or_else(|refusal| refusal.to_string().into_bytes());
    made as u32
}

#[unsafe(no_mangle)]
pub extern "C" fn at() -> *const u8 {
    BYTES.lock().unwrap().as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn len() -> usize {
    BYTES.lock().unwrap().len()
}
