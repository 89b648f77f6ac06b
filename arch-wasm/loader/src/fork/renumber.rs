//! The functions' new numbers.

use crate::copy::Renumber;

/// One import comes behind those that were, and fork becomes a function of the program.
pub struct Around {
    /// By imported function: it is fork.
    pub forks: Vec<bool>,
    /// The number of the function that stands for it.
    pub fork: u32,
}

impl Renumber for Around {
    fn function(&self, index: u32) -> u32 {
        match self.forks.get(index as usize) {
            None => index + 1,
            Some(true) => self.fork,
            Some(false) => index,
        }
    }
}
