//! The view as text on a terminal.
//!
//! In: a [`View`]. Out: a block of lines for each person, then what is nobody's.

use super::{DeviceView, PersonView, Rules, View};
use crate::household::edit::people::joined;
use std::fmt::{self, Write};

/// For people: a block for each person, then the rest.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blocks: Vec<String> = self.persons.iter().map(person_block).collect();
        if !self.devices.is_empty() {
            let mut block = "devices of nobody\n".to_owned();
            for device in &self.devices {
                line(&mut block, &device_line(device));
                rule_lines(&mut block, "  ", &device.rules);
            }
            blocks.push(block);
        }
        let groups = self.groups.iter();
        blocks.extend(section(
            "groups",
            groups.map(|group| (&group.name, group.members.join(", "))),
        ));
        let profiles = self.profiles.iter();
        blocks.extend(section(
            "profiles",
            profiles.map(|profile| (&profile.name, profile.says.join("; "))),
        ));
        let services = self.services.iter();
        blocks.extend(section(
            "services of your own",
            services.map(|service| (&service.id, service.names.join(", "))),
        ));
        if blocks.is_empty() {
            return f
                .write_str("there is nobody in this household yet; `stairgate household --help` shows how to begin\n");
        }
        f.write_str(&blocks.join("\n"))
    }
}

fn person_block(person: &PersonView) -> String {
    let mut block = String::new();
    let id = if person.id == person.name {
        String::new()
    } else {
        format!(" ({})", person.id)
    };
    let zone = person
        .timezone
        .as_ref()
        .map_or(String::new(), |zone| format!(", in {zone}"));
    // Writing to a String cannot fail.
    let _ = writeln!(block, "{}{id}: profile {}{zone}", person.name, person.profile);
    for device in &person.devices {
        line(&mut block, &format!("device {}", device_line(device)));
        rule_lines(&mut block, "  ", &device.rules);
    }
    rule_lines(&mut block, "", &person.rules);
    for (word, names) in [("allowed", &person.allow), ("blocked", &person.deny)] {
        if !names.is_empty() {
            let names = names.iter().map(|name| match &name.until {
                Some(until) => format!("{} (until {})", name.name, until.replace('T', " ")),
                None => name.name.clone(),
            });
            line(&mut block, &format!("{word}: {}", names.collect::<Vec<_>>().join(", ")));
        }
    }
    block
}

fn device_line(device: &DeviceView) -> String {
    let profile = device
        .profile
        .as_ref()
        .map_or(String::new(), |profile| format!(": profile {profile}"));
    format!("{} ({}){profile}", device.name, joined(device.matches.clone()))
}

/// What holds now comes first.
fn rule_lines(block: &mut String, indent: &str, rules: &Rules) {
    for pause in &rules.pauses {
        line(block, &format!("{indent}paused: {}", pause.says));
    }
    for grant in &rules.grants {
        line(block, &format!("{indent}granted: {}", grant.says));
    }
    for window in &rules.windows {
        line(block, &format!("{indent}window {}: {}", window.name, window.says));
    }
    for quota in &rules.quotas {
        line(block, &format!("{indent}quota {}: {}", quota.name, quota.says));
    }
}

fn section<'a>(title: &str, lines: impl Iterator<Item = (&'a String, String)>) -> Option<String> {
    let mut block = format!("{title}\n");
    let mut any = false;
    for (name, says) in lines {
        line(&mut block, &format!("{name}: {says}"));
        any = true;
    }
    any.then_some(block)
}

fn line(block: &mut String, text: &str) {
    block.push_str("  ");
    block.push_str(text);
    block.push('\n');
}
