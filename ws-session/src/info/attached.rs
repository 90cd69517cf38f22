//! The values that a server's hooks attach to a connection.

use std::any::Any;
use std::fmt;

/// The user's name and the state of a connection. One word while there is neither.
#[derive(Default)]
pub(crate) struct Attached {
    values: Option<Box<Values>>,
}

#[derive(Default)]
struct Values {
    user: Option<Box<str>>,
    /// Of different types. There are few.
    state: Vec<Box<dyn Any + Send + Sync>>,
}

impl Attached {
    /// Attaches a value. It replaces another of the same type.
    pub(crate) fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        self.put(Box::new(value), |other| other.is::<T>());
    }

    fn put(&mut self, value: Box<dyn Any + Send + Sync>, is_same: impl Fn(&(dyn Any + Send + Sync)) -> bool) {
        let state = &mut self.values.get_or_insert_default().state;
        state.retain(|other| !is_same(&**other));
        state.reserve_exact(1);
        state.push(value);
    }

    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        self.values.as_ref()?.state.iter().find_map(|value| value.downcast_ref())
    }

    pub(crate) fn set_user(&mut self, name: Box<str>) {
        self.values.get_or_insert_default().user = Some(name);
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.values.as_ref()?.user.as_deref()
    }

    /// Adds the values of another, which replace those of the same types.
    pub(crate) fn extend(&mut self, other: Self) {
        let Some(values) = other.values else { return };
        if self.values.is_none() {
            self.values = Some(values);
            return;
        }
        let Values { user, state } = *values;
        user.into_iter().for_each(|name| self.set_user(name));
        for value in state {
            let kind = (*value).type_id();
            self.put(value, |other| other.type_id() == kind);
        }
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("user", &self.user()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_by_type_and_the_last_counts() {
        let mut attached = Attached::default();
        assert_eq!((size_of::<Attached>(), attached.get::<u8>()), (size_of::<usize>(), None));
        attached.insert(1_u8);
        attached.insert("one");
        attached.insert(2_u8);
        let mut other = Attached::default();
        other.insert(3_u16);
        other.insert("two");
        other.set_user("ann".into());
        attached.extend(other);
        attached.extend(Attached::default());
        assert_eq!((attached.get(), attached.get(), attached.get()), (Some(&2_u8), Some(&3_u16), Some(&"two")));
        assert_eq!((attached.user(), attached.get::<u32>()), (Some("ann"), None));
    }
}
