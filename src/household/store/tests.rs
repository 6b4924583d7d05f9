use super::*;
use crate::limits::HOUSEHOLD_VERSIONS;
use std::fs;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_796_119_200 + 60 * minute).unwrap()
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(&folder.path().join("household.toml"));
    (folder, store)
}

fn write(store: &Store, minute: i64, text: &str) -> Saved {
    let change = |_: &str| Ok::<_, StoreError>((text.to_owned(), format!("wrote {}", text.trim())));
    store.edit(at(minute), change).unwrap()
}

fn undo(store: &Store, minute: i64, to: Option<u32>) -> Result<(Saved, String), StoreError> {
    store.undo(at(minute), to, |_| Ok(()))
}

#[test]
fn a_household_that_is_not_there_yet_is_empty_and_made_by_the_first_edit() {
    let (_folder, store) = store();
    assert_eq!(store.read().unwrap(), "");
    let saved = write(&store, 0, "a = 1\n");
    assert_eq!((saved.version, saved.note), (Some(1), None));
    assert_eq!(store.read().unwrap(), "a = 1\n");
}

#[test]
fn undo_brings_back_the_bytes_and_again_those_before() {
    let (_folder, store) = store();
    fs::write(&store.file, "# ours \t\nzero = 0").unwrap();
    for (minute, text) in ["one = 1\n", "two = 2\n", "three = 3\n"].into_iter().enumerate() {
        write(&store, minute as i64, text);
    }
    let (saved, sentence) = undo(&store, 4, None).unwrap();
    assert_eq!(saved.text, "two = 2\n");
    assert_eq!(sentence, "taken back: wrote three = 3");
    assert_eq!(undo(&store, 5, None).unwrap().0.text, "one = 1\n");
    assert_eq!(undo(&store, 6, None).unwrap().0.text, "# ours \t\nzero = 0");
    assert_eq!(fs::read(&store.file).unwrap(), b"# ours \t\nzero = 0");
    let error = undo(&store, 7, None).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "household.toml: there is no earlier version; `stairgate household history` lists those that are kept"
        ),
        "{error}"
    );
}

#[test]
fn what_was_undone_is_a_version_to_go_to() {
    let (_folder, store) = store();
    write(&store, 0, "one = 1\n");
    write(&store, 1, "two = 2\n");
    undo(&store, 2, None).unwrap();
    let (saved, sentence) = undo(&store, 3, Some(2)).unwrap();
    assert_eq!(saved.text, "two = 2\n");
    assert_eq!(sentence, "back at version 2: wrote two = 2");
    assert_eq!(undo(&store, 4, None).unwrap().0.text, "one = 1\n");
    let (saved, sentence) = undo(&store, 5, Some(1)).unwrap();
    assert_eq!(saved.version, None);
    assert_eq!(sentence, "version 1 is what the household is now");
    let error = undo(&store, 6, Some(9)).unwrap_err().to_string();
    assert!(
        error.ends_with("there is no version 9; kept are 1 to 5, as `stairgate household history` lists them"),
        "{error}"
    );
}

#[test]
fn an_edit_after_going_back_is_undone_to_where_one_went() {
    let (_folder, store) = store();
    for (minute, text) in ["one = 1\n", "two = 2\n", "three = 3\n"].into_iter().enumerate() {
        write(&store, minute as i64, text);
    }
    undo(&store, 3, None).unwrap();
    undo(&store, 4, None).unwrap();
    write(&store, 5, "four = 4\n");
    assert_eq!(undo(&store, 6, None).unwrap().0.text, "one = 1\n");
    assert!(undo(&store, 7, None).is_err());
}

#[test]
fn what_is_edited_by_hand_is_kept_too_and_said_to_be() {
    let (_folder, store) = store();
    write(&store, 0, "one = 1\n");
    fs::write(&store.file, "by = 'hand'\n").unwrap();
    write(&store, 1, "two = 2\n");
    let told: Vec<(By, String)> = store
        .history()
        .unwrap()
        .into_iter()
        .map(|version| (version.by, version.what))
        .collect();
    assert_eq!(
        told,
        [
            (By::Command, "wrote one = 1".to_owned()),
            (By::Hand, "edited by hand".to_owned()),
            (By::Command, "wrote two = 2".to_owned())
        ]
    );
    assert_eq!(undo(&store, 2, None).unwrap().0.text, "by = 'hand'\n");
    fs::write(&store.file, "by = 'hand again'\n").unwrap();
    assert_eq!(store.notice(at(3)).unwrap(), Some(5));
    assert_eq!(store.notice(at(4)).unwrap(), None);
    assert_eq!(undo(&store, 5, None).unwrap().0.text, "by = 'hand'\n");
}

#[test]
fn undo_passes_over_what_was_broken_by_hand() {
    let (_folder, store) = store();
    write(&store, 0, "one = 1\n");
    for text in ["broken", "mended = 2\n"] {
        fs::write(&store.file, text).unwrap();
        store.notice(at(1)).unwrap();
    }
    let check = |text: &str| match text.contains("broken") {
        true => Err(StoreError::NotText(store.file.clone())),
        false => Ok(()),
    };
    let (saved, sentence) = store.undo(at(2), None, check).unwrap();
    assert_eq!(
        (saved.text.as_str(), sentence.as_str()),
        ("one = 1\n", "taken back: edited by hand")
    );
    assert!(store.undo(at(3), Some(2), check).is_err());
}

#[test]
fn an_index_that_leads_in_circles_is_not_followed() {
    let (_folder, store) = store();
    write(&store, 0, "one = 1\n");
    write(&store, 1, "two = 2\n");
    let index = store.history.join("index.jsonl");
    let lines = fs::read_to_string(&index).unwrap().replace("\"}", "\",\"back_to\":2}");
    fs::write(&index, lines).unwrap();
    assert_eq!(undo(&store, 2, None).unwrap().0.text, "one = 1\n");
}

#[test]
fn a_deleted_file_comes_back_by_undo() {
    let (_folder, store) = store();
    write(&store, 0, "one = 1\n");
    fs::remove_file(&store.file).unwrap();
    assert_eq!(undo(&store, 1, None).unwrap().0.text, "one = 1\n");
}

#[test]
fn the_last_fifty_versions_are_kept() {
    let (_folder, store) = store();
    for number in 0..60 {
        write(&store, number, &format!("n = {number}\n"));
    }
    let history = store.history().unwrap();
    assert_eq!(history.len(), HOUSEHOLD_VERSIONS);
    assert_eq!(history.first().unwrap().version, 11);
    assert_eq!(history.last().unwrap().version, 60);
    // And the index.
    assert_eq!(fs::read_dir(&store.history).unwrap().count(), HOUSEHOLD_VERSIONS + 1);
    let name = store.history.join("00060-20261201T105900Z.toml");
    assert_eq!(fs::read_to_string(name).unwrap(), "n = 59\n");
}

#[test]
fn an_edit_that_changes_nothing_makes_no_version() {
    let (_folder, store) = store();
    write(&store, 0, "one = 1\n");
    assert_eq!(write(&store, 1, "one = 1\n").version, None);
    assert_eq!(store.history().unwrap().len(), 1);
}

#[test]
fn a_refused_change_leaves_the_file() {
    let (_folder, store) = store();
    write(&store, 0, "one = 1\n");
    write(&store, 1, "two = 2\n");
    #[derive(Debug, PartialEq)]
    enum Why {
        Refused,
        Store(String),
    }
    impl From<StoreError> for Why {
        fn from(error: StoreError) -> Why {
            Why::Store(error.to_string())
        }
    }
    assert_eq!(store.edit(at(2), |_| Err(Why::Refused)).unwrap_err(), Why::Refused);
    let refused = store.undo(at(2), None, |text| {
        assert_eq!(text, "one = 1\n");
        Err(Why::Refused)
    });
    assert_eq!(refused.unwrap_err(), Why::Refused);
    assert_eq!(store.read().unwrap(), "two = 2\n");
    assert_eq!(store.history().unwrap().len(), 2);
}

#[test]
fn a_history_that_cannot_be_written_never_costs_the_household() {
    let (_folder, store) = store();
    fs::write(&store.history, "a file where the folder should be").unwrap();
    let saved = write(&store, 0, "one = 1\n");
    assert_eq!(store.read().unwrap(), "one = 1\n");
    assert_eq!(saved.version, None);
    let note = saved.note.unwrap();
    assert!(
        note.contains("household.history: the history cannot be written ("),
        "{note}"
    );
    assert!(
        note.ends_with("so undo may not know this change; check its permissions and free space"),
        "{note}"
    );
    assert!(undo(&store, 1, None).is_err());
    assert_eq!(store.read().unwrap(), "one = 1\n");
}

#[test]
fn a_torn_index_costs_words_and_no_version() {
    let (_folder, store) = store();
    for (minute, text) in ["one = 1\n", "two = 2\n", "three = 3\n"].into_iter().enumerate() {
        write(&store, minute as i64, text);
    }
    let index = store.history.join("index.jsonl");
    let lines = fs::read_to_string(&index).unwrap();
    fs::write(&index, &lines[..lines.len() - 20]).unwrap();
    fs::write(store.history.join("notes.txt"), "not a version").unwrap();
    fs::write(store.history.join(".00004-x.toml.1-1.new"), "half").unwrap();
    let history = store.history().unwrap();
    assert_eq!(history.len(), 3);
    assert_eq!(history[2].by, By::Unknown);
    assert_eq!(history[2].at, at(2));
    assert_eq!(undo(&store, 3, None).unwrap().0.text, "two = 2\n");
    fs::remove_file(&index).unwrap();
    assert_eq!(undo(&store, 4, Some(1)).unwrap().0.text, "one = 1\n");
}

#[test]
fn whoever_saves_meanwhile_is_not_overwritten() {
    let (_folder, store) = store();
    write(&store, 0, "n = 0\n");
    let mut calls = 0;
    let saved = store.edit(at(1), |text| {
        calls += 1;
        if calls == 1 {
            fs::write(&store.file, "n = 'hand'\n").unwrap();
        }
        Ok::<_, StoreError>((format!("{text}more = {calls}\n"), "more".to_owned()))
    });
    assert_eq!(saved.unwrap().text, "n = 'hand'\nmore = 2\n");
    let error = store.edit(at(2), |text| {
        calls += 1;
        fs::write(&store.file, format!("n = {calls}\n")).unwrap();
        Ok::<_, StoreError>((format!("{text}x = 1\n"), "x".to_owned()))
    });
    let error = error.unwrap_err().to_string();
    assert!(
        error.ends_with("household.toml: somebody else keeps saving it; try again when they are done"),
        "{error}"
    );
}

#[test]
fn two_commands_at_once_come_one_after_the_other() {
    let (_folder, store) = store();
    write(&store, 0, "n = 0\n");
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..5 {
                    let line = format!("w{worker}r{round} = 1\n");
                    let change = |text: &str| Ok::<_, StoreError>((format!("{text}{line}"), line.clone()));
                    store.edit(at(1), change).unwrap();
                }
            });
        }
    });
    assert_eq!(store.read().unwrap().lines().count(), 21);
    assert_eq!(store.history().unwrap().len(), 21);
}

#[test]
fn what_is_no_household_is_named() {
    let (folder, store) = store();
    fs::write(&store.file, [0xff, 0xfe]).unwrap();
    let sentence = |error: StoreError| error.to_string().replace(&*folder.path().to_string_lossy(), "");
    assert_eq!(
        sentence(store.read().unwrap_err()),
        "/household.toml: is not UTF-8 text; save it as UTF-8"
    );
    fs::write(&store.file, vec![b'#'; HOUSEHOLD_EDIT_BYTES as usize + 1]).unwrap();
    assert_eq!(
        sentence(store.read().unwrap_err()),
        "/household.toml: is larger than 4 MiB, which commands do not change; write it with what wrote it"
    );
    fs::write(&store.file, "a = 1\n").unwrap();
    let grown = |_: &str| Ok::<_, StoreError>(("#".repeat(HOUSEHOLD_EDIT_BYTES as usize + 1), String::new()));
    assert!(matches!(store.edit(at(0), grown), Err(StoreError::TooLarge(_))));
    assert_eq!(store.read().unwrap(), "a = 1\n");
    let nowhere = Store::new(&folder.path().join("none/household.toml"));
    let change = |_: &str| Ok::<_, StoreError>(("a = 1\n".to_owned(), String::new()));
    let error = sentence(nowhere.edit(at(0), change).unwrap_err());
    assert!(error.starts_with("/none: cannot be read ("), "{error}");
}

#[test]
fn a_file_that_cannot_be_written_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    // The name of the new file beside it would be too long.
    let name = format!("{}.toml", "h".repeat(245));
    let store = Store::new(&folder.path().join(&name));
    fs::write(&store.file, "one = 1\n").unwrap();
    let change = |_: &str| Ok::<_, StoreError>(("two = 2\n".to_owned(), String::new()));
    let error = store.edit(at(0), change).unwrap_err().to_string();
    assert!(error.contains(".toml: cannot be written ("), "{error}");
    assert!(
        error.ends_with("it is as it was. Check its folder's permissions and free space"),
        "{error}"
    );
    assert_eq!(store.read().unwrap(), "one = 1\n");
}

#[test]
fn a_command_that_waits_too_long_says_why() {
    let (_folder, store) = store();
    let _first = files::lock(&store.file, files::PATIENCE).unwrap();
    let patience = std::time::Duration::from_millis(50);
    let error = files::lock(&store.file, patience).unwrap_err().to_string();
    assert!(
        error.ends_with("household.toml: another command has been changing it for seconds; try again"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_permissions_stay() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real.toml");
    fs::write(&real, "a = 1\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("household.toml");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    write(&Store::new(&link), 0, "b = 2\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "b = 2\n");
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
}
