pub mod bootimage;
pub mod config;
