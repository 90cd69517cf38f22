//! Messages like those of an API: the same names every time, values that differ.

use ws_test_support::random::Random;

const WORDS: [&str; 32] = [
    "amber", "anchor", "basket", "beacon", "canyon", "cedar", "copper", "delta", "ember", "falcon", "garden", "harbor",
    "indigo", "jasper", "kernel", "lantern", "marble", "meadow", "nickel", "orchard", "pepper", "quartz", "ribbon",
    "saddle", "silver", "thunder", "timber", "umbra", "velvet", "walnut", "yonder", "zephyr",
];

/// The `index`th message, of exactly this size.
pub(crate) fn message(size: usize, index: usize, random: &mut Random) -> Vec<u8> {
    let mut json = format!("{{\"type\":\"update\",\"sequence\":{index},\"items\":[");
    let mut ids = 1000 * index..;
    // Room for the end.
    while json.len() + 14 < size {
        let item = item(ids.next().unwrap_or_default(), random);
        if json.len() + item.len() + 14 > size {
            break;
        }
        json += &item;
    }
    if json.ends_with(',') {
        json.pop();
    }
    json += "],\"note\":\"";
    let mut json = json.into_bytes();
    while json.len() + 2 < size {
        let word = word(random).bytes().chain([b' ']);
        json.extend(word);
    }
    json.truncate(size.saturating_sub(2));
    json.extend(b"\"}");
    json.truncate(size);
    json
}

fn item(id: usize, random: &mut Random) -> String {
    format!(
        "{{\"id\":{id},\"name\":\"{} {}\",\"price\":{}.50,\"active\":true,\"tags\":[\"{}\",\"sale\"]}},",
        word(random),
        word(random),
        10 + random.next() % 90,
        word(random),
    )
}

fn word(random: &mut Random) -> &'static str {
    WORDS[(random.next() % WORDS.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_size_and_differ() {
        let mut random = Random(1);
        let messages: Vec<_> = (0..64).map(|index| message(1024, index, &mut random)).collect();
        assert!(messages.iter().all(|message| message.len() == 1024 && message.is_ascii()));
        assert!(messages[0].starts_with(b"{\"type\":\"update\",\"sequence\":0,\"items\":[{\"id\":"));
        assert!(messages[0].ends_with(b"\"}"));
        assert!((1..64).all(|index| messages[index] != messages[index - 1]));
        for size in 1..200 {
            assert_eq!(message(size, 0, &mut random).len(), size);
        }
    }
}
