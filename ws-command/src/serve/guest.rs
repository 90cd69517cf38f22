//! Who connects: what a request says of itself.

use ws_hub::Member;
use ws_tokio::WebSocket;

/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 40;

/// Who a connection without a name is.
const NOBODY: &str = "someone";

/// The member that a connection is: `?id=…&name=…`. Connections with one ID are one member, so that a page that connects again
/// is still the same one. A connection without an ID is a member of its own.
pub(super) fn member(ws: &WebSocket) -> Member {
    let id = ws.query("id").filter(|id| (1..=64).contains(&id.len()));
    let id = id.map_or_else(|| format!("{:032x}", rand::random::<u128>()), |id| id.into_owned());
    Member::new(id, shown(&ws.query("name").unwrap_or_default())).expect("both are short")
}

/// A name as others may see it.
fn shown(name: &str) -> String {
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if name.is_empty() { NOBODY.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_have_no_controls() {
        assert_eq!(shown(" Ada\u{0}\n\u{1b}[31m "), "Ada[31m");
        assert_eq!(shown(" \u{7f} "), NOBODY);
        assert_eq!(shown(&"ä".repeat(1000)), "ä".repeat(40));
    }
}
