//! The browser machine.
