//! What refers to what, so that nothing is removed that something else still names.
//!
//! In: a thing that is to go, or to be called otherwise. Out: who has it, and the command that lets go of it.

use super::error::EditError;
use super::fields::Kind;
use super::people::{person_said, said_words};
use crate::household::shape::{Household, Words};

/// One that refers to it: half a sentence, and the command to run first.
struct User {
    said: String,
    command: String,
}

/// Refuses if anything still names it. `owner`: how sentences call it.
pub(super) fn free(kind: Kind, name: &str, owner: &str, household: &Household) -> Result<(), EditError> {
    let mut users = Vec::new();
    match kind {
        Kind::Profile => of_profile(name, household, &mut users),
        Kind::Person => {
            for device in &household.devices {
                if device.person.as_deref() == Some(name) {
                    users.push(User {
                        said: format!("device {} is theirs", device.name),
                        command: format!("remove device {}", device.name),
                    });
                }
            }
            of_member(name, household, &mut users);
            of_whom(name, household, &mut users);
        }
        Kind::Device | Kind::Group => {
            of_member(name, household, &mut users);
            of_whom(name, household, &mut users);
        }
        Kind::Quota => {
            for grant in &household.grants {
                if grant.quota.as_deref() == Some(name) {
                    users.push(User {
                        said: format!("{} got minutes of it", said_words(grant.whom.list(), household)),
                        command: format!("remove grant {}", grant.whom.list().join(",")),
                    });
                }
            }
        }
        Kind::Service => of_service(name, household, &mut users),
        Kind::Household | Kind::Window | Kind::Client => {}
    }
    let Some(first) = users.first() else { return Ok(()) };
    Err(EditError::InUse {
        owner: owner.to_owned(),
        first: format!("run `stairgate household {}`", first.command),
        users: users.into_iter().map(|user| user.said).collect(),
    })
}

fn of_profile(name: &str, household: &Household, users: &mut Vec<User>) {
    for (id, person) in household.persons() {
        if person.profile.as_deref() == Some(name) {
            users.push(User {
                said: format!("{} has it", person_said(id, household)),
                command: format!("set person {id} profile OTHER"),
            });
        }
    }
    for device in &household.devices {
        if device.profile.as_deref() == Some(name) {
            users.push(User {
                said: format!("device {} has it", device.name),
                command: format!("set device {} profile OTHER", device.name),
            });
        }
    }
    for client in &household.clients {
        if client.profile.as_deref() == Some(name) {
            users.push(User {
                said: format!("client {} has it", client.name),
                command: format!("set client {} profile OTHER", client.name),
            });
        }
    }
    for (other, profile) in household.profiles() {
        if profile.base.as_deref() == Some(name) {
            users.push(User {
                said: format!("profile {other} is based on it"),
                command: format!("unset profile {other} base"),
            });
        }
    }
    of_whom(&format!("profile:{name}"), household, users);
}

fn of_member(name: &str, household: &Household, users: &mut Vec<User>) {
    for group in &household.groups {
        if group.members.iter().any(|member| member == name) {
            users.push(User {
                said: format!("group {} has it as a member", group.name),
                command: match group.members.len() {
                    1 => format!("remove group {}", group.name),
                    _ => format!("set group {} members --without {name}", group.name),
                },
            });
        }
    }
}

/// Everything that has the word in its `for`.
fn of_whom(word: &str, household: &Household, users: &mut Vec<User>) {
    let names = |whom: &Words| whom.list().iter().any(|other| other == word);
    let let_go = |kind: &str, name: &str, whom: &Words| match whom.list().len() {
        1 => format!("remove {kind} {}", quoted(name)),
        _ => format!("set {kind} {} for --without {word}", quoted(name)),
    };
    for (index, window) in household.windows.iter().enumerate() {
        if names(&window.whom) {
            let name = window.name.clone().unwrap_or_else(|| (index + 1).to_string());
            users.push(User {
                said: format!("window {name} is for it"),
                command: let_go("window", &name, &window.whom),
            });
        }
    }
    for quota in household.quotas.iter().filter(|quota| names(&quota.whom)) {
        users.push(User {
            said: format!("quota {} is for it", quota.name),
            command: let_go("quota", &quota.name, &quota.whom),
        });
    }
    if household.grants.iter().any(|grant| names(&grant.whom)) {
        users.push(User {
            said: "a grant is for it".to_owned(),
            command: format!("remove grant {word}"),
        });
    }
    if household.pauses.iter().any(|pause| names(&pause.whom)) {
        users.push(User {
            said: "a pause is for it".to_owned(),
            command: format!("resume {word}"),
        });
    }
}

fn of_service(id: &str, household: &Household, users: &mut Vec<User>) {
    let among = |words: &[String]| words.iter().any(|word| word == id);
    for (name, profile) in household.profiles() {
        if among(&profile.services) {
            users.push(User {
                said: format!("profile {name} blocks it"),
                command: format!("set profile {name} services --without {id}"),
            });
        }
    }
    for (index, window) in household.windows.iter().enumerate() {
        for (key, words) in [("block", &window.block), ("allow", &window.allow)] {
            if among(words) {
                let name = window.name.clone().unwrap_or_else(|| (index + 1).to_string());
                users.push(User {
                    said: format!("window {name} has it"),
                    command: match words.len() {
                        1 => format!("remove window {}", quoted(&name)),
                        _ => format!("set window {} {key} --without {id}", quoted(&name)),
                    },
                });
            }
        }
    }
    for quota in household.quotas.iter().filter(|quota| among(&quota.of)) {
        users.push(User {
            said: format!("quota {} is of it", quota.name),
            command: match quota.of.len() {
                1 => format!("remove quota {}", quoted(&quota.name)),
                _ => format!("set quota {} of --without {id}", quoted(&quota.name)),
            },
        });
    }
    for grant in household.grants.iter().filter(|grant| among(&grant.allow)) {
        users.push(User {
            said: format!("{} may have it for a while", said_words(grant.whom.list(), household)),
            command: format!("remove grant {}", grant.whom.list().join(",")),
        });
    }
}

fn quoted(name: &str) -> String {
    match name.contains(char::is_whitespace) {
        true => format!("\"{name}\""),
        false => name.to_owned(),
    }
}
