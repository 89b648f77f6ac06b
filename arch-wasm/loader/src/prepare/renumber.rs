//! The functions' new numbers.

use crate::copy::Renumber;

/// So many functions are imported behind those that were.
pub const IMPORTS: u32 = 2;

pub struct Behind {
    pub imported: u32,
}

impl Renumber for Behind {
    fn function(&self, index: u32) -> u32 {
        if index < self.imported { index } else { index + IMPORTS }
    }
}
