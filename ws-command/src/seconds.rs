//! Times in seconds from the command line.

use std::str::FromStr;
use std::time::Duration;

/// A time limit from the command line: seconds, above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(Duration);

impl Limit {
    pub(crate) fn time(self) -> Duration {
        self.0
    }
}

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        match parse(argument)? {
            Duration::ZERO => Err("expected more than 0 seconds"),
            time => Ok(Self(time)),
        }
    }
}

/// A time of so many seconds, 0 or more.
pub(crate) fn duration(seconds: f64) -> Result<Duration, &'static str> {
    Duration::try_from_secs_f64(seconds).map_err(|_| "expected a number of seconds, 0 or more")
}

/// A time from its number of seconds, 0 or more.
pub(crate) fn parse(argument: &str) -> Result<Duration, &'static str> {
    duration(argument.parse().map_err(|_| "expected a number of seconds")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_limits_are_above_zero() {
        assert_eq!((parse("0"), parse("2.5")), (Ok(Duration::ZERO), Ok(Duration::from_millis(2500))));
        for bad in ["", "-1", "x", "inf", "nan", "1e99"] {
            assert!(parse(bad).is_err() && bad.parse::<Limit>().is_err(), "{bad}");
        }
        assert_eq!("0.5".parse::<Limit>().map(Limit::time), Ok(Duration::from_millis(500)));
        assert!("0".parse::<Limit>().is_err());
    }
}
