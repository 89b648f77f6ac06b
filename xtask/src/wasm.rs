//! As much of the WebAssembly format as it takes to list a module's imports.

/// Module and name of each import. The error says that the bytes are no module.
pub fn imports(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut r = Reader(bytes.strip_prefix(b"\0asm\x01\0\0\0").ok_or("not a WebAssembly module")?);
    while !r.0.is_empty() {
        let id = r.byte()?;
        let len = r.number()?;
        let mut section = Reader(r.bytes(len)?);
        if id == 2 {
            return section.imports();
        }
    }
    Ok(Vec::new())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, n: usize) -> Result<&'a [u8], String> {
        if n > self.0.len() {
            return Err("a truncated module".into());
        }
        let (head, tail) = self.0.split_at(n);
        self.0 = tail;
        Ok(head)
    }
    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.bytes(1)?[0])
    }
    /// LEB128, as far as lengths and limits go.
    fn number(&mut self) -> Result<usize, String> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let b = self.byte()?;
            value |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return usize::try_from(value).map_err(|e| e.to_string());
            }
            shift += 7;
            if shift > 63 {
                return Err("a number without end".into());
            }
        }
    }
    fn name(&mut self) -> Result<String, String> {
        let n = self.number()?;
        Ok(String::from_utf8_lossy(self.bytes(n)?).into_owned())
    }
    fn limits(&mut self) -> Result<(), String> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 != 0 {
            self.number()?;
        }
        Ok(())
    }
    fn imports(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut all = Vec::new();
        for _ in 0..self.number()? {
            all.push((self.name()?, self.name()?));
            match self.byte()? {
                0 => drop(self.number()?),
                1 => {
                    self.byte()?;
                    self.limits()?;
                }
                2 => self.limits()?,
                3 => drop(self.bytes(2)?),
                4 => {
                    self.byte()?;
                    self.number()?;
                }
                kind => return Err(format!("an import of kind {kind}")),
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::imports;

    #[test]
    fn imports_are_listed_and_rubbish_is_refused() {
        let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x15\x02\x04host\x04halt\0\0\x01e\x01m\x02\x03\x01\x02";
        let names = [("host", "halt"), ("e", "m")].map(|(m, n)| (m.to_string(), n.to_string()));
        assert_eq!(imports(module), Ok(names.to_vec()));
        assert!(imports(b"hello").is_err());
        assert!(imports(&module[..20]).is_err());
    }
}
