//! A map from numbers to things, as a sorted list. There are a hundred of a kind at most, and several kinds: a tree or a
//! table would be fetched once for each.

pub struct Numbered<T>(Vec<(u32, T)>);

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered(Vec::new())
    }
}

impl<T> Numbered<T> {
    fn place(&self, number: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |item| item.0)
    }

    pub fn contains(&self, number: u32) -> bool {
        self.place(number).is_ok()
    }

    pub fn get(&self, number: u32) -> Option<&T> {
        self.place(number).ok().map(|at| &self.0[at].1)
    }

    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.place(number).ok().map(|at| &mut self.0[at].1)
    }

    /// What is there, after putting a new one there if there is none.
    pub fn or_default(&mut self, number: u32) -> &mut T
    where
        T: Default,
    {
        let at = self.place(number).unwrap_or_else(|at| {
            self.0.insert(at, (number, T::default()));
            at
        });
        &mut self.0[at].1
    }

    /// Answers what was there.
    pub fn insert(&mut self, number: u32, item: T) -> Option<T> {
        match self.place(number) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, item)),
            Err(at) => {
                self.0.insert(at, (number, item));
                None
            }
        }
    }

    pub fn remove(&mut self, number: u32) -> Option<T> {
        self.place(number).ok().map(|at| self.0.remove(at).1)
    }

    pub fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.0.retain(|item| keep(item.0));
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.0.iter().map(|(number, item)| (*number, item))
    }

    pub fn take(&mut self) -> Vec<(u32, T)> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Numbered;

    #[test]
    fn things_are_found_by_their_numbers() {
        let mut of = Numbered::default();
        for number in [7, 3, 9, 1] {
            assert_eq!(of.insert(number, number * 10), None);
        }
        assert_eq!(of.insert(3, 4), Some(30));
        assert_eq!((of.get(3), of.get(2)), (Some(&4), None));
        assert_eq!(of.iter().map(|(number, _)| number).collect::<Vec<_>>(), [1, 3, 7, 9]);
        *of.or_default(2) += 1;
        *of.get_mut(9).unwrap() += 1;
        assert_eq!((of.remove(2), of.remove(2), of.contains(9)), (Some(1), None, true));
        of.retain(|number| number > 3);
        assert_eq!(of.take(), [(7, 70), (9, 91)]);
    }
}
