//! The configuration of a stream: as a hub makes it, and whether one that was found is of use.

use serde_json::{Value, json};

use super::settings::Settings;
use super::subject::{Set, Subjects};

/// 2 minutes, in nanoseconds.
const DUPLICATE_WINDOW: u64 = 120_000_000_000;

pub(super) fn make(name: &str, settings: &Settings, subjects: &Subjects, set: Set) -> Value {
    json!({
        "name": name,
        "description": "Publications of ws-hub",
        "subjects": [subjects.all_log(set)],
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": set.size,
        "max_age": age(set),
        "max_bytes": bytes(settings),
        "storage": storage(settings),
        "num_replicas": settings.replicas,
        // Doubles are found for so long. It cannot be longer than the age.
        "duplicate_window": age(set).min(DUPLICATE_WINDOW),
        "allow_direct": true,
        "republish": { "src": subjects.all_log(set), "dest": subjects.all_live(set) },
    })
}

fn age(set: Set) -> u64 {
    set.age.saturating_mul(1_000_000)
}

/// -1 for no limit.
fn bytes(settings: &Settings) -> i64 {
    settings.max_bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1)
}

pub(super) fn storage(settings: &Settings) -> &'static str {
    if settings.in_memory { "memory" } else { "file" }
}

/// Whether a stream keeps what it must. Else, the reason: publications would be missing without a word.
pub(super) fn check(config: &Value, settings: &Settings, subjects: &Subjects, set: Set) -> Result<(), String> {
    // 0 and -1 are no limit.
    let limit =
        |field: &str| config[field].as_i64().filter(|limit| *limit > 0).and_then(|limit| u64::try_from(limit).ok());
    let is_below = |field, wanted| limit(field).is_some_and(|limit| limit < wanted);
    let republish = &config["republish"];
    let problem = if republish["dest"].as_str() != Some(&subjects.all_live(set)) || republish["headers_only"] == true {
        "does not republish whole messages to the subjects for subscribers"
    } else if config["allow_direct"] != true {
        "does not allow direct access (allow_direct)"
    } else if config["retention"].as_str().is_some_and(|retention| retention != "limits") {
        "removes messages that were consumed (retention)"
    } else if is_below("max_msgs_per_subject", set.size) || is_below("max_age", age(set)) {
        "keeps less than the options of the topics say (max_msgs_per_subject, max_age)"
    } else if settings.max_bytes.is_none() && (limit("max_bytes").is_some() || limit("max_msgs").is_some()) {
        "has a limit of its size (max_bytes, max_msgs), and Nats::max_stream_bytes is not set"
    } else {
        return Ok(());
    };
    Err(format!("the stream {} {problem}", config["name"]))
}

/// In what a stream differs from one that would be made now, without harm.
pub(super) fn differences(config: &Value, settings: &Settings, subjects: &Subjects, set: Set) -> Vec<&'static str> {
    let wanted = make("", settings, subjects, set);
    let fields =
        ["storage", "num_replicas", "max_bytes", "discard", "duplicate_window", "max_age", "max_msgs_per_subject"];
    fields.into_iter().filter(|field| config[*field] != wanted[*field]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: Set = Set { size: 10, age: 60_000 };

    fn setup() -> (Settings, Subjects, Value) {
        let (settings, subjects) = (Settings::new("one").unwrap(), Subjects { prefix: "ws".to_owned() });
        let config = make("S", &settings, &subjects, SET);
        (settings, subjects, config)
    }

    #[test]
    fn what_a_hub_makes_is_of_use() {
        let (settings, subjects, config) = setup();
        assert_eq!(check(&config, &settings, &subjects, SET), Ok(()));
        assert!(differences(&config, &settings, &subjects, SET).is_empty());
        // As the server tells longer ones.
        let longer = json!({ "max_msgs_per_subject": -1, "max_age": 0, "max_msgs": -1 });
        let mut other = config.clone();
        other.as_object_mut().unwrap().extend(longer.as_object().unwrap().clone());
        assert_eq!(check(&other, &settings, &subjects, SET), Ok(()));
        assert_eq!(differences(&other, &settings, &subjects, SET), ["max_age", "max_msgs_per_subject"]);
    }

    #[test]
    fn a_stream_that_would_lose_publications_silently_is_refused() {
        let (settings, subjects, config) = setup();
        for (field, value) in [
            ("republish", Value::Null),
            ("republish", json!({ "src": "ws.log.10-60000.>", "dest": "elsewhere.>" })),
            ("republish", json!({ "src": ">", "dest": subjects.all_live(SET), "headers_only": true })),
            ("allow_direct", json!(false)),
            ("allow_direct", Value::Null),
            ("retention", json!("workqueue")),
            ("max_msgs_per_subject", json!(9)),
            ("max_age", json!(59_999_999_999_u64)),
            ("max_bytes", json!(1000)),
            ("max_msgs", json!(1000)),
        ] {
            let mut other = config.clone();
            other[field] = value;
            assert!(check(&other, &settings, &subjects, SET).is_err(), "{field}");
        }
        let mut cut = config;
        cut["max_bytes"] = json!(1000);
        let settings = Settings { max_bytes: Some(2000), ..settings };
        assert_eq!(check(&cut, &settings, &subjects, SET), Ok(()));
        assert_eq!(differences(&cut, &settings, &subjects, SET), ["max_bytes"]);
    }
}
