//! What the control socket tells of a running server.

use crate::common::{Home, eventually};
use crate::publisher::{Page, Publisher};
use stairgate::control::{Client, ListStatus, Status};

fn status(home: &Home) -> Status {
    let mut client = Client::connect(&home.file("var")).expect("a running server");
    client.status().expect("an answer")
}

fn list<'s>(status: &'s Status, name: &str) -> &'s ListStatus {
    let found = status.lists.iter().find(|list| list.name == name);
    found.unwrap_or_else(|| panic!("{name} is in the settings: {status:?}"))
}

#[test]
fn status_tells_which_lists_came_how_old_they_are_and_why_the_others_did_not() {
    let publisher = Publisher::start_https();
    let home = Home::new();
    let here = publisher.put("/here", Page::List("bad.example\n".to_owned()));
    let gone = publisher.put("/gone", Page::Status(404));
    home.write(crate::common::ROOTS, &publisher.root);
    home.write("local.domains", "worse.example\n");
    home.configure(&format!(
        "[[list]]\nname = \"here\"\nsource = \"{here}\"\ncategory = \"adult\"\n\
         [[list]]\nname = \"gone\"\nsource = \"{gone}\"\ncategory = \"other\"\n\
         [[list]]\nname = \"local\"\nsource = \"local.domains\"\ncategory = \"adult\"\n\
         [profile.default]\nblock = [\"adult\"]\n"
    ));
    let server = home.serve(&[]);
    server.ask_until_blocked("bad.example");
    let status = eventually("the missing list has been asked for", || {
        let status = status(&home);
        let fetch = list(&status, "gone").fetch.clone()?;
        fetch.error.is_some().then_some(status)
    });
    let names: Vec<&str> = status.lists.iter().map(|list| list.name.as_str()).collect();
    assert_eq!(names, ["here", "gone", "local"]);
    let here = list(&status, "here");
    assert!(here.in_force && here.category == "adult");
    let fetch = here.fetch.clone().expect("it is fetched");
    assert_eq!(fetch.error, None);
    let snapshot = fetch.snapshot.expect("it came");
    assert_eq!(snapshot.rules, 1);
    assert!(snapshot.age_s < 60 && snapshot.checked_age_s <= snapshot.age_s);
    let gone = list(&status, "gone");
    let fetch = gone.fetch.clone().expect("it is fetched");
    assert!(!gone.in_force && fetch.snapshot.is_none());
    let error = fetch.error.expect("it failed");
    assert!(
        error.reason.contains("404") && error.failures >= 1 && error.unix_ms > 0,
        "{error:?}"
    );
    assert!(list(&status, "local").in_force && list(&status, "local").fetch.is_none());
}
