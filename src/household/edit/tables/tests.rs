use super::*;

fn doc(text: &str) -> DocumentMut {
    text.parse().unwrap()
}

fn after_push(list: &str, text: &str) -> String {
    let mut doc = doc(&format!("x = {list}\n"));
    push(doc["x"].as_array_mut().unwrap(), Value::from(text));
    doc.to_string().trim_start_matches("x = ").trim_end().to_owned()
}

fn after_take(list: &str, index: usize) -> String {
    let mut doc = doc(&format!("x = {list}\n"));
    take(doc["x"].as_array_mut().unwrap(), index);
    doc.to_string().trim_start_matches("x = ").trim_end().to_owned()
}

#[test]
fn a_list_grows_in_the_way_it_is_written() {
    assert_eq!(after_push("[]", "a"), r#"["a"]"#);
    assert_eq!(after_push(r#"["a"]"#, "b"), r#"["a", "b"]"#);
    assert_eq!(after_push(r#"[ "a" ]"#, "b"), r#"[ "a", "b" ]"#);
    assert_eq!(
        after_push("[\n  'a', # about a\n]", "b"),
        "[\n  'a', # about a\n  \"b\",\n]"
    );
    assert_eq!(
        after_push("[\n  'a' # about a\n]", "b"),
        "[\n  'a', # about a\n  \"b\"\n]"
    );
    assert_eq!(after_push("[\n]", "a"), "[\n    \"a\",\n]");
}

#[test]
fn a_list_shrinks_by_one_line_and_its_comment() {
    let lines = "[\n  'a', # about a\n  'b', # about b\n  # of c\n  'c', # about c\n]";
    assert_eq!(
        after_take(lines, 0),
        "[\n  'b', # about b\n  # of c\n  'c', # about c\n]"
    );
    assert_eq!(
        after_take(lines, 1),
        "[\n  'a', # about a\n  # of c\n  'c', # about c\n]"
    );
    assert_eq!(
        after_take(lines, 2),
        "[\n  'a', # about a\n  'b', # about b\n  # of c\n]"
    );
    assert_eq!(after_take("['a', 'b']", 0), "['b']");
    assert_eq!(after_take("['a', 'b']", 1), "['a']");
    assert_eq!(after_take("['a']", 0), "[]");
    assert_eq!(after_take("[\n  'a', # x\n  'b']", 1), "[\n  'a', # x\n]");
}

#[test]
fn a_new_table_comes_after_the_last_of_its_kind_and_comments_stay_with_theirs() {
    let text = "# Family\n\n[[device]]\nname = 'a'\n# said of a\n\n# the groups\n[[group]]\nname = 'g'\n# the end\n";
    let mut doc = doc(text);
    assert!(add(
        &mut doc,
        "device",
        None,
        vec![("name".to_owned(), Value::from("b"))]
    ));
    assert!(add(
        &mut doc,
        "pause",
        None,
        vec![("what".to_owned(), Value::from("filter"))]
    ));
    assert_eq!(
        doc.to_string(),
        "# Family\n\n[[device]]\nname = 'a'\n# said of a\n\n[[device]]\nname = \"b\"\n\n# the groups\n[[group]]\n\
         name = 'g'\n# the end\n\n[[pause]]\nwhat = \"filter\"\n"
    );
}

#[test]
fn tables_without_blank_lines_get_one_around_the_new_one() {
    let mut doc = doc("[person.a]\n# kids\n[[group]]\nname = 'g'\n");
    assert!(add(&mut doc, "person", Some("b"), vec![]));
    assert_eq!(
        doc.to_string(),
        "[person.a]\n\n[person.b]\n\n# kids\n[[group]]\nname = 'g'\n"
    );
}

#[test]
fn a_table_takes_its_own_comment_along_and_no_other() {
    let text = "version = 1\n\n# hours\n\n# bed\n[[window]]\nname = 'a'\n\n# lunch\n[[window]]\nname = 'b'\n";
    let mut one = doc(text);
    assert!(remove(&mut one, &Spot::Listed("window", 0)));
    assert_eq!(
        one.to_string(),
        "version = 1\n\n# hours\n\n# lunch\n[[window]]\nname = 'b'\n"
    );
    assert!(remove(&mut one, &Spot::Listed("window", 0)));
    assert_eq!(one.to_string(), "version = 1\n\n# hours\n");
    let mut other = doc(text);
    assert!(remove(&mut other, &Spot::Listed("window", 1)));
    assert_eq!(
        other.to_string(),
        "version = 1\n\n# hours\n\n# bed\n[[window]]\nname = 'a'\n"
    );
    assert!(!remove(&mut other, &Spot::Listed("window", 1)));
}

#[test]
fn a_table_removed_from_the_top_leaves_no_blank_line_there() {
    let mut doc = doc("[person.a]\n\n[person.b]\n");
    assert!(remove(&mut doc, &Spot::Named("person", "a".to_owned())));
    assert_eq!(doc.to_string(), "[person.b]\n");
}

#[test]
fn a_key_on_top_comes_below_the_head_of_the_file() {
    let mut headed = doc("# Our household\n\n# Masha\n[person.masha]\n");
    set_on_top(&mut headed, "timezone", Value::from("Europe/Moscow"));
    assert_eq!(
        headed.to_string(),
        "# Our household\n\ntimezone = \"Europe/Moscow\"\n\n# Masha\n[person.masha]\n"
    );
    let mut empty = doc("# Our household");
    set_on_top(&mut empty, "version", Value::from(1));
    assert_eq!(empty.to_string(), "# Our household\nversion = 1\n");
    set_on_top(&mut empty, "version", Value::from(2));
    assert_eq!(empty.to_string(), "# Our household\nversion = 2\n");
}

#[test]
fn households_written_in_line_are_edited_in_line() {
    let mut doc = doc("person = { masha = { profile = 'c' } }\ndevice = [{ name = 'a' }]\n");
    assert!(add(&mut doc, "person", Some("petya"), vec![]));
    assert!(add(
        &mut doc,
        "device",
        None,
        vec![("name".to_owned(), Value::from("b"))]
    ));
    let text = doc.to_string();
    let read: toml::Table = text.parse().unwrap();
    assert_eq!(read["person"].as_table().unwrap().len(), 2, "{text}");
    assert_eq!(read["device"].as_array().unwrap().len(), 2, "{text}");
    assert!(remove(&mut doc, &Spot::Listed("device", 0)));
    assert!(remove(&mut doc, &Spot::Named("person", "masha".to_owned())));
    let read: toml::Table = doc.to_string().parse().unwrap();
    assert_eq!(read["device"][0]["name"].as_str(), Some("b"));
}
