//! The values that a path captures, as the types of a handler.

use std::str::FromStr;

use matchit::Params;
use percent_encoding::percent_decode_str;

/// The types of the parameters that a handler takes from a path ([`Routes::websocket_with`](crate::Routes::websocket_with)).
///
/// - `String`, an integer, `bool` or `char` for a path with one capture
/// - a tuple of up to four types that implement [`FromStr`], in the order of the captures. A single type of your own is a tuple
///   of one: `(Id,)`
///
/// Values are percent-decoded, and must be UTF-8.
pub trait PathParams: Sized {
    /// The number of captures.
    const COUNT: usize;

    /// Parses the captured values, in the order of the path.
    ///
    /// # Errors
    ///
    /// The index of the first value that is missing or not of its type.
    fn parse(values: &[String]) -> Result<Self, usize>;
}

fn parse<T: FromStr>(values: &[String], index: usize) -> Result<T, usize> {
    values.get(index).and_then(|value| value.parse().ok()).ok_or(index)
}

impl PathParams for () {
    const COUNT: usize = 0;

    fn parse(_: &[String]) -> Result<Self, usize> {
        Ok(())
    }
}

macro_rules! single {
    ($($kind:ty)*) => {$(
        impl PathParams for $kind {
            const COUNT: usize = 1;

            fn parse(values: &[String]) -> Result<Self, usize> {
                parse(values, 0)
            }
        }
    )*};
}

single!(String bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

macro_rules! tuple {
    ($count:literal: $($kind:ident $index:literal),*) => {
        impl<$($kind: FromStr),*> PathParams for ($($kind,)*) {
            const COUNT: usize = $count;

            fn parse(values: &[String]) -> Result<Self, usize> {
                Ok(($(parse::<$kind>(values, $index)?,)*))
            }
        }
    };
}

tuple!(1: A 0);
tuple!(2: A 0, B 1);
tuple!(3: A 0, B 1, C 2);
tuple!(4: A 0, B 1, C 2, D 3);

/// The captured values, decoded. The error is the index of the first that is not UTF-8.
pub(super) fn captures(params: &Params<'_, '_>) -> Result<Vec<String>, usize> {
    let decode = |(index, (_, value))| {
        percent_decode_str(value).decode_utf8().map(|value| value.into_owned()).map_err(|_| index)
    };
    params.iter().enumerate().map(decode).collect()
}

/// The number of captures in a path. Doubled braces are braces.
pub(super) fn count(path: &str) -> usize {
    path.replace("{{", "").matches('{').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_parsed_in_order() {
        let values = ["a".to_owned(), "7".to_owned()];
        assert_eq!(<(String, u8)>::parse(&values), Ok(("a".into(), 7)));
        assert_eq!((char::parse(&values), u8::parse(&values), <()>::parse(&values)), (Ok('a'), Err(0), Ok(())));
        assert_eq!((<(char, i8, u8)>::parse(&values), <(char, bool)>::parse(&values)), (Err(2), Err(1)));
    }

    #[test]
    fn captures_are_counted() {
        for (path, expected) in [("/", 0), ("/{a}", 1), ("/{a}/x{b}/{*c}", 3), ("/{{a}}/{b}", 1)] {
            assert_eq!(count(path), expected, "{path}");
        }
    }
}
