//! [`Credentials`]: who we are, from a file or the environment. What stands on a command line, everyone on the machine sees.

use std::env;
use std::path::PathBuf;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use http::header::AUTHORIZATION;
use ws_tokio::Client;

use crate::files;

/// The credentials to send.
#[derive(Debug, Args)]
pub(super) struct Credentials {
    /// Send USER:PASSWORD from a file or a variable of the environment (RFC 7617)
    #[arg(long, value_name = "file:PATH|env:NAME", conflicts_with = "bearer")]
    basic: Option<Secret>,

    /// Send a token from a file or a variable of the environment (RFC 6750)
    #[arg(long, value_name = "file:PATH|env:NAME")]
    bearer: Option<Secret>,
}

impl Credentials {
    /// Whether an Authorization header is sent for them.
    pub(super) fn are_given(&self) -> bool {
        self.basic.is_some() || self.bearer.is_some()
    }

    /// The client, with these credentials. The error is a sentence, without the secret.
    pub(super) fn set(&self, client: Client) -> Result<Client, String> {
        let value = match (&self.basic, &self.bearer) {
            (Some(secret), _) => {
                let text = secret.read()?;
                if !text.contains(':') {
                    return Err(format!("{} must be USER:PASSWORD, and has no colon.", secret.place()));
                }
                format!("Basic {}", STANDARD.encode(text))
            }
            (None, Some(secret)) => format!("Bearer {}", secret.read()?),
            (None, None) => return Ok(client),
        };
        Ok(client.header(AUTHORIZATION, value))
    }
}

/// The place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    File(PathBuf),
    Variable(String),
}

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        match argument.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            _ => Err("expected file:PATH or env:NAME: everyone on a machine sees what stands on a command line"),
        }
    }
}

impl Secret {
    /// The secret, without the end of its line.
    pub(crate) fn read(&self) -> Result<String, String> {
        let secret = match self {
            Self::File(path) => {
                String::from_utf8(files::read(path)?).map_err(|_| format!("{} is not UTF-8.", self.place()))?
            }
            Self::Variable(name) => {
                env::var(name).map_err(|error| format!("Cannot read {}: {error}.", self.place()))?
            }
        };
        let secret = secret.trim_end_matches(['\r', '\n']);
        match secret.is_empty() || secret.contains(char::is_control) {
            true => Err(format!("{} must be one line that is not empty.", self.place())),
            false => Ok(secret.to_owned()),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Variable(name) => format!("the variable {name}"),
        }
    }
}
