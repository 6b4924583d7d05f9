//! The small languages of the household's values, as far as an edit must know them so that nothing wrong is written.
//!
//! In: one word of a command. Out: the word as the file has it, or half a sentence that says how to write it.
//! Always: pure. Whether a value is one is for the readers of the settings and of schedules to say; here it is brought into the form that the
//! file has, and told to somebody who types a command.

use super::when::{clock_minutes, minutes, short};
use crate::config::values;
use crate::schedule::Days;
use ipnet::IpNet;

/// What persons, profiles, devices and groups may be called in the file.
pub fn id(text: &str) -> Result<(), String> {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
    if !text.is_empty() && text.chars().all(fits) && text != "everyone" {
        return Ok(());
    }
    let lower = text.trim().to_lowercase();
    let mended: String = lower
        .chars()
        .map(|letter| if fits(letter) { letter } else { '-' })
        .collect();
    let mended = mended.trim_matches('-');
    Err(match (text, mended) {
        ("everyone", _) => "already means the whole household; choose another name".to_owned(),
        (_, "") => "is not a name; write letters, digits and hyphens such as \"masha-phone\"".to_owned(),
        (_, mended) => format!("is not a name that commands can use; write letters, digits and hyphens: \"{mended}\""),
    })
}

/// Any text on one line.
pub fn line(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("is empty; write something".to_owned()),
        text if text.chars().any(char::is_control) => Err("has more than one line; write it on one".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// A domain name, with `=` in front for itself alone. Addresses of web pages are taken for their host.
pub fn own_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let (equal, bare) = match text.strip_prefix('=') {
        Some(bare) => ("=", bare),
        None => ("", text),
    };
    let bare = bare.strip_prefix("*.").unwrap_or(bare);
    let bare = bare.split_once("://").map_or(bare, |(_, rest)| rest);
    let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = bare.strip_suffix('.').unwrap_or(bare).to_lowercase();
    if values::own(&bare).is_err() || bare.contains('=') {
        return Err("is not a name on the internet; write it like \"school.example\"".to_owned());
    }
    match bare.contains('.') {
        true => Ok(format!("{equal}{bare}")),
        false => Err(format!(
            "has no dot; write the whole name such as \"{bare}.com\" (services and categories are blocked by profiles and windows)"
        )),
    }
}

/// An address or a network, for `match`. Compared by [`network_value`].
pub fn network(text: &str) -> Result<String, String> {
    let text = text.trim().to_lowercase();
    if ["mac:", "lease:", "id:"].iter().any(|kind| text.starts_with(kind)) {
        return Err(
            "comes with a later version; give the device a fixed address in the router, and write that address"
                .to_owned(),
        );
    }
    values::network(&text).map(|_| text)
}

/// The network that a text of the file means.
pub fn network_value(text: &str) -> Option<IpNet> {
    values::network(text).ok()
}

/// A time of the clock: `7:00` becomes `07:00`.
pub fn clock(text: &str) -> Result<String, String> {
    let text = text.trim().to_lowercase();
    let minutes = clock_minutes(&text).map_err(|meant| match meant {
        Some(meant) => format!("is not a time; write \"{meant}\""),
        None => "is not a time; write hours and minutes such as \"7:00\" or \"21:30\"".to_owned(),
    })?;
    Ok(format!("{:02}:{:02}", minutes / 60, minutes % 60))
}

/// A length of time of at least a minute and at most a week, such as a quota's.
pub fn length(text: &str) -> Result<String, String> {
    let minutes = minutes(text).ok_or("is not a length of time; write it like \"30m\", \"1h\" or \"1h30m\"")?;
    match minutes <= 7 * 1440 {
        true => Ok(short(minutes)),
        false => Err("is longer than a week; write a shorter time".to_owned()),
    }
}

/// Days on which something begins.
pub fn days(text: &str) -> Result<String, String> {
    match Days::parse(text) {
        Ok(_) => Ok(text.trim().to_lowercase()),
        Err(error) => Err(format!("are no days: {error}")),
    }
}

/// A type of queries by its mnemonic, or `TYPE65`.
pub fn query_type(text: &str) -> Result<String, String> {
    let upper = text.trim().to_ascii_uppercase();
    values::query_type(&upper).map(|_| upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_commands_cannot_use_is_mended() {
        assert!(id("masha-phone").is_ok() && id("маша").is_ok() && id("Masha").is_ok());
        assert_eq!(
            id("masha's phone").unwrap_err(),
            "is not a name that commands can use; write letters, digits and hyphens: \"masha-s-phone\""
        );
        assert_eq!(
            id("profile:child").unwrap_err(),
            "is not a name that commands can use; write letters, digits and hyphens: \"profile-child\""
        );
        assert_eq!(
            id("everyone").unwrap_err(),
            "already means the whole household; choose another name"
        );
        assert_eq!(
            id("!").unwrap_err(),
            "is not a name; write letters, digits and hyphens such as \"masha-phone\""
        );
    }

    #[test]
    fn an_address_of_a_page_is_taken_for_its_host() {
        for text in [
            "https://School.example/pupils?id=1",
            "school.example.",
            "*.school.example",
        ] {
            assert_eq!(own_name(text).unwrap(), "school.example", "{text}");
        }
        assert_eq!(own_name("=school.example").unwrap(), "=school.example");
        assert_eq!(
            own_name("tiktok").unwrap_err(),
            "has no dot; write the whole name such as \"tiktok.com\" (services and categories are blocked by profiles and windows)"
        );
        assert_eq!(
            own_name("a..b").unwrap_err(),
            "is not a name on the internet; write it like \"school.example\""
        );
    }

    #[test]
    fn networks_are_checked_and_hardware_addresses_are_told_to_wait() {
        assert_eq!(network("FD00::20").unwrap(), "fd00::20");
        assert_eq!(network("192.168.1.0/24").unwrap(), "192.168.1.0/24");
        assert_eq!(network("0.0.0.0/0").unwrap(), "0.0.0.0/0");
        assert_eq!(
            network("192.168.1.20/24").unwrap_err(),
            "has bits set past its prefix; write \"192.168.1.0/24\" for the network or \"192.168.1.20\" for the one address"
        );
        assert_eq!(
            network("mac:02:00:00:00:00:01").unwrap_err(),
            "comes with a later version; give the device a fixed address in the router, and write that address"
        );
        assert!(network("192.168.1").is_err() && network("1.2.3.4/33").is_err());
    }

    #[test]
    fn days_are_checked_word_by_word() {
        for text in [
            "school nights",
            "Mon-Fri",
            "weekend and friday",
            "2026-12-24..2027-01-08",
            "every day except sun",
        ] {
            assert_eq!(days(text).unwrap(), text.to_lowercase());
        }
        assert_eq!(
            days("weekdys").unwrap_err(),
            "are no days: \"weekdys\" is no day; did you mean \"weekdays\"?"
        );
        assert_eq!(
            days("sometimes").unwrap_err(),
            "are no days: \"sometimes\" is no day; write mon to sun, \"weekdays\", \"weekend\", \"every day\", \
             \"school nights\" or a date such as 2026-12-24"
        );
        for text in ["", "except mon", "mon except"] {
            assert!(days(text).is_err(), "{text}");
        }
    }

    #[test]
    fn clocks_lengths_and_types_are_written_one_way() {
        assert_eq!(clock("7:00").unwrap(), "07:00");
        assert_eq!(clock("9pm").unwrap_err(), "is not a time; write \"21:00\"");
        assert_eq!(
            clock("late").unwrap_err(),
            "is not a time; write hours and minutes such as \"7:00\" or \"21:30\""
        );
        assert_eq!(length("90 minutes").unwrap(), "1h30m");
        assert_eq!(
            length("2 weeks").unwrap_err(),
            "is longer than a week; write a shorter time"
        );
        assert_eq!(query_type("https").unwrap(), "HTTPS");
    }
}
