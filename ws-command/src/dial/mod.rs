//! [`Target`]: the server to connect to, and how. All commands that connect have these options.

mod credentials;
mod hints;
mod insecure;
mod opened;
mod route;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args};
use http::header::{AUTHORIZATION, COOKIE, ORIGIN, USER_AGENT};
use ws_tokio::{Client, Config, ConnectError, Escaped, without_password};

use self::credentials::Credentials;
pub(crate) use self::credentials::Secret;
use self::hints::Asked;
pub(crate) use self::opened::{head, opened};
use self::route::Route;
use crate::files::{self, IdentityFiles};
use crate::output::{fail, warn};
use crate::seconds::duration;

/// The server to connect to, and how.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The address to connect to: ws://HOST:PORT/PATH, or wss:// for TLS
    #[arg(value_name = "URL")]
    url: String,

    /// A header of the request; may be repeated. It replaces a header of that name that is sent by default or that the
    /// URL implies. `User-Agent:` sends no such header
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Header>,

    /// A cookie to send; may be repeated
    #[arg(long = "cookie", value_name = "NAME=VALUE")]
    cookies: Vec<Cookie>,

    #[command(flatten)]
    credentials: Credentials,

    /// The User-Agent header to send
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,

    /// The Origin header to send, as a browser sends it for a page of that site
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,

    /// A subprotocol to offer, the preferred one first; may be repeated
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,

    /// A PEM file of certificates to trust, besides the platform's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    #[command(flatten)]
    identity: IdentityFiles,

    /// Accept any certificate. Anyone between here and the server can then read and change everything
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,

    /// The interval between pings to the server, or `off` for a server that mishandles pings. The connection ends when the
    /// server sends nothing for 20 seconds after a ping
    #[arg(long, value_name = "SECONDS|off", default_value = "20", allow_negative_numbers = true)]
    ping_interval: PingInterval,

    /// Do not offer compression (permessage-deflate)
    #[arg(long)]
    no_compression: bool,

    /// The largest message accepted, in bytes or with K, M or G; `off` for any. A larger one ends the connection with 1009
    #[arg(long, value_name = "SIZE|off", default_value = "64M")]
    max_size: Size,

    #[command(flatten)]
    route: Route,

    /// Show the certificates, the request and the response, also of a refusal. `connect` shows pings and pongs, too, and with
    /// -vv every frame. Credentials and cookies are not shown
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Target {
    /// The URL for messages: without its password, and with control characters escaped.
    pub(crate) fn shown(&self) -> String {
        Escaped(without_password(&self.url)).to_string()
    }

    /// The client that the arguments describe. The error is a sentence about a file that cannot be used.
    pub(crate) fn client(&self) -> Result<Client, String> {
        let mut client = Client::new(&self.url).config(self.config());
        for Header { name, value } in &self.headers {
            // As in curl, an empty value removes this header.
            client = match value.is_empty() && name.eq_ignore_ascii_case("user-agent") {
                true => client.remove_header(USER_AGENT),
                false => client.header(name, value),
            };
        }
        if self.credentials.are_given() && self.has_header(AUTHORIZATION.as_str()) {
            return Err("Give --basic, --bearer or an Authorization header, not two of them.".to_owned());
        }
        client = self.credentials.set(client)?;
        if !self.cookies.is_empty() {
            if self.has_header(COOKIE.as_str()) {
                return Err("Give --cookie or a Cookie header, not both.".to_owned());
            }
            let cookies: Vec<_> = self.cookies.iter().map(|Cookie(pair)| &**pair).collect();
            client = client.header(COOKIE, cookies.join("; "));
        }
        if let Some(user_agent) = &self.user_agent {
            client = client.header(USER_AGENT, user_agent);
        }
        if let Some(origin) = &self.origin {
            client = client.origin(origin);
        }
        if !self.subprotocols.is_empty() {
            client = client.subprotocols(&self.subprotocols);
        }
        if self.no_compression {
            client = client.compression(None);
        }
        client = self.route.set(client);
        let identity = self.identity.read()?;
        if self.insecure {
            warn(format_args!(
                "Warning: --insecure accepts any certificate. The server may be another than you think."
            ));
            let config =
                insecure::config(identity).map_err(|error| format!("Cannot use --cert and --key: {error}."))?;
            return Ok(client.tls_config(Arc::new(config)));
        }
        if let Some(ca) = &self.ca {
            client = client.ca(files::read(ca)?);
        }
        if let Some(identity) = identity {
            client = client.client_certificate(identity.certificate, identity.key);
        }
        Ok(client)
    }

    /// Says why there is no connection.
    pub(crate) fn refused(&self, error: &ConnectError) -> ExitCode {
        if let ConnectError::TlsConfig(error) = error {
            return fail(format_args!("{}", self.identity.explain(self.ca.as_deref(), error)));
        }
        let code = fail(format_args!("Failed to connect to {}: {}.", self.shown(), Escaped(error)));
        if let Some(hint) = hints::for_failure(error, self.asked(), host(&self.url)) {
            warn(format_args!("{hint}"));
        }
        let Some(response) = error.response() else { return code };
        if self.verbose == 0 {
            if !response.body().is_empty() {
                warn(format_args!("-v shows the server's answer."));
            }
            return code;
        }
        warn(format_args!("{}", head(response).trim_end()));
        if !response.body().is_empty() {
            warn(format_args!("The server said:"));
            for line in String::from_utf8_lossy(response.body()).lines() {
                warn(format_args!("  {}", Escaped(line)));
            }
        }
        code
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.limits.message = self.max_size.0;
        config.limits.frame = self.max_size.0;
        config.deadlines.ping_interval = self.ping_interval.0;
        config
    }

    fn asked(&self) -> Asked {
        let origin = self.origin.is_some() || self.has_header(ORIGIN.as_str());
        Asked { origin, compression: !self.no_compression }
    }

    /// Whether a header of this name is given with `-H`.
    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    name: String,
    value: String,
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        let (name, value) = argument.split_once(':').ok_or("expected `Name: value`")?;
        Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
    }
}

/// A cookie as it stands in the header (RFC 6265 §4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cookie(String);

impl FromStr for Cookie {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        let is_one = argument.find('=').is_some_and(|at| at > 0);
        let is_clean = argument.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        match is_one && is_clean {
            true => Ok(Self(argument.to_owned())),
            false => Err("expected NAME=VALUE, without spaces and semicolons"),
        }
    }
}

/// The size of the largest message, in bytes. `None` for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size(Option<usize>);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        if argument == "off" {
            return Ok(Self(None));
        }
        let unit = argument.trim_start_matches(|c: char| c.is_ascii_digit());
        let shift = match unit {
            "" => 0,
            "k" | "K" => 10,
            "m" | "M" => 20,
            "g" | "G" => 30,
            _ => return Err("expected a number of bytes, such as 65536, 64K, 16M or 1G, or `off`"),
        };
        let number: Option<usize> = argument.strip_suffix(unit).and_then(|digits| digits.parse().ok());
        let bytes = number.and_then(|number| number.checked_mul(1 << shift)).filter(|bytes| *bytes > 0);
        bytes.map(|bytes| Self(Some(bytes))).ok_or("expected a number of bytes above 0, or `off`")
    }
}

/// The interval between pings to the server. `None` sends none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PingInterval(Option<Duration>);

impl FromStr for PingInterval {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        if argument == "off" {
            return Ok(Self(None));
        }
        let seconds = argument.parse().map_err(|_| "expected a number of seconds, or `off`")?;
        match duration(seconds)? {
            Duration::ZERO => Err("expected more than 0 seconds, or `off`"),
            interval => Ok(Self(Some(interval))),
        }
    }
}

/// The host and port of a valid URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_split_at_the_first_colon() {
        let header = |argument: &str| argument.parse::<Header>().map(|h| (h.name, h.value));
        assert_eq!(header("A: b:c "), Ok(("A".into(), "b:c".into())));
        assert_eq!(header("A:"), Ok(("A".into(), String::new())));
        assert!(header("no colon").is_err());
    }

    #[test]
    fn sizes_and_cookies() {
        for (argument, bytes) in [("1", 1), ("64K", 65_536), ("64k", 65_536), ("16M", 16 << 20), ("2G", 2 << 30)] {
            assert_eq!(argument.parse(), Ok(Size(Some(bytes))), "{argument}");
        }
        assert_eq!("off".parse(), Ok(Size(None)));
        for bad in ["", "0", "K", "1T", "-1", "1.5M", "99999999999999999999", "99999999999999G", "1KK"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
        assert_eq!("a=b=c".parse(), Ok(Cookie("a=b=c".to_owned())));
        assert_eq!("a=".parse(), Ok(Cookie("a=".to_owned())));
        for bad in ["", "a", "=b", "a=b; c=d", "a=b c", "a=\r\n", "a=é"] {
            assert!(bad.parse::<Cookie>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ping_intervals() {
        #[derive(clap::Parser)]
        struct Program {
            #[command(flatten)]
            args: Target,
        }
        let interval = |arguments: &[&str]| {
            let arguments = [&["ws", "ws://a/"], arguments].concat();
            <Program as clap::Parser>::try_parse_from(arguments)
                .map(|program| program.args.config().deadlines.ping_interval)
        };
        assert_eq!(interval(&[]).unwrap(), Some(Duration::from_secs(20)));
        assert_eq!(interval(&["--ping-interval", "0.05"]).unwrap(), Some(Duration::from_millis(50)));
        assert_eq!(interval(&["--ping-interval", "off"]).unwrap(), None);
        for bad in ["", "0", "no", "-1", "inf", "nan", "1e99"] {
            assert!(interval(&[&format!("--ping-interval={bad}")]).is_err(), "{bad}");
        }
    }
}
