//! Sessions and their terminals.
