//! What a SOURCE stands for: files, folders, archives, links, and what cannot be read.

use stairgate::config::settings::ListAction;
use stairgate::list::source::{SourceSpec, expand, unique_names};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

fn sources(path: &Path) -> Vec<SourceSpec> {
    let mut specs = expand(path.to_str().unwrap(), None, false).unwrap_or_else(|error| panic!("{error}"));
    unique_names(&mut specs);
    specs
}

/// Name, category and action of each source, in order of name.
fn table(specs: &[SourceSpec]) -> Vec<String> {
    let mut rows: Vec<String> = specs
        .iter()
        .map(|spec| format!("{} {} {:?}", spec.name, spec.category, spec.action))
        .collect();
    rows.sort();
    rows
}

fn error(path: &Path) -> String {
    expand(path.to_str().unwrap(), None, false)
        .and_then(|specs| specs.iter().map(SourceSpec::read).collect::<Result<Vec<_>, _>>())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_folder_is_its_files_each_in_the_category_of_its_nearest_folder() {
    let root = tempfile::tempdir().unwrap();
    let lists = root.path().join("lists");
    write(&lists, "ads/one.hosts.zst", "x");
    write(&lists, "Adult Sites/two.txt", "x");
    write(&lists, "allow/three.txt", "x");
    write(&lists, "deep/allow/within/four.txt", "x");
    write(&lists, "README.md", "x");
    write(&lists, "LICENSES/MIT.txt", "x");
    write(&lists, ".git/config", "x");
    write(&lists, "five", "x");
    assert_eq!(
        table(&sources(&lists)),
        [
            "five lists Block",
            "four.txt within Allow",
            "one.hosts ads Block",
            "three.txt allow Allow",
            "two.txt adult-sites Block",
        ]
    );
}

#[test]
fn a_ut1_folder_is_its_domains_and_a_link_is_no_list_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let ut1 = root.path().join("blacklists");
    for category in ["publicite", "adult"] {
        write(&ut1, &format!("{category}/domains"), "a.example\n");
        write(&ut1, &format!("{category}/urls"), "a.example/b\n");
        write(&ut1, &format!("{category}/expressions"), "(a|b)\n");
        write(&ut1, &format!("{category}/usage"), "black\n");
    }
    write(&ut1, "empty/usage", "black\n");
    write(&ut1, "global_usage", "text");
    symlink("publicite", ut1.join("ads")).unwrap();
    symlink("adult/domains", ut1.join("alias")).unwrap();
    // A link that leads back up ends.
    symlink("..", ut1.join("adult/up")).unwrap();
    let expected = ["adult/domains adult Block", "publicite/domains publicite Block"];
    assert_eq!(table(&sources(&ut1)), expected);

    // The same as a tar, plain and compressed, whatever it is called.
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    fs::remove_file(ut1.join("adult/up")).unwrap();
    builder.append_dir_all("blacklists", &ut1).unwrap();
    let bytes = builder.into_inner().unwrap();
    write(root.path(), "ut1.tar", &bytes);
    write(root.path(), "ut1.bin", zstd::encode_all(&bytes[..], 3).unwrap());
    for file in ["ut1.tar", "ut1.bin"] {
        let specs = sources(&root.path().join(file));
        assert_eq!(table(&specs), expected, "{file}");
        assert_eq!(specs[0].read().unwrap().bytes, b"a.example\n");
    }
}

#[test]
fn what_a_link_outside_the_folder_or_into_a_hidden_one_leads_to_is_a_list() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "outside.txt", "x");
    write(root.path(), "lists/.data/inner.txt", "x");
    symlink("../outside.txt", root.path().join("lists/linked.txt")).unwrap();
    symlink(".data/inner.txt", root.path().join("lists/inner.txt")).unwrap();
    assert_eq!(
        table(&sources(&root.path().join("lists"))),
        ["inner.txt lists Block", "linked.txt lists Block"]
    );
}

#[test]
fn compressed_lists_are_told_by_their_bytes_and_damage_is_named() {
    let root = tempfile::tempdir().unwrap();
    let text = "a.example\n".repeat(1000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(text.as_bytes()).unwrap();
    let xz = xz.finish().unwrap();
    let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for (name, bytes) in [("a.txt", &gzip), ("b.gz", &xz), ("c", &zst)] {
        write(root.path(), name, bytes);
        let specs = sources(&root.path().join(name));
        let unpacked = specs[0].read().unwrap();
        assert_eq!(unpacked.bytes, text.as_bytes(), "{name}");
        write(root.path(), "cut", &bytes[..bytes.len() / 2]);
        let message = error(&root.path().join("cut"));
        assert!(
            message.contains("cut: the ") && message.contains("damaged or cut short"),
            "{message}"
        );
    }
    // Two members one after another are one list.
    write(root.path(), "two.gz", [gzip.clone(), gzip].concat());
    assert_eq!(
        sources(&root.path().join("two.gz"))[0].read().unwrap().bytes.len(),
        2 * text.len()
    );
}

#[test]
fn names_are_unique_whatever_the_order() {
    let root = tempfile::tempdir().unwrap();
    for file in ["a/x/list", "b/x/list", "c/list", "other"] {
        write(root.path(), file, "x");
    }
    let mut specs = expand(root.path().to_str().unwrap(), None, false).unwrap();
    specs.extend(expand(&format!("again={}", root.path().join("other").display()), None, false).unwrap());
    unique_names(&mut specs);
    let forward = table(&specs);
    specs.reverse();
    unique_names(&mut specs);
    assert_eq!(table(&specs), forward);
    let names: Vec<&str> = forward.iter().map(|row| row.split(' ').next().unwrap()).collect();
    assert_eq!(names[..4], ["a/x/list", "b/x/list", "c/list", "other"].map(|name| name));
    let numbered = names.iter().filter(|name| name.ends_with("~2")).count();
    assert_eq!(numbered, 1, "one file given twice has two names: {names:?}");
}

#[test]
fn what_cannot_be_read_is_one_sentence_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let missing = error(&root.path().join("missing"));
    assert!(
        missing.ends_with("missing: there is no such file or folder"),
        "{missing}"
    );
    fs::create_dir(root.path().join("empty")).unwrap();
    assert!(error(&root.path().join("empty")).contains("holds no list"));
    symlink("b", root.path().join("a")).unwrap();
    symlink("a", root.path().join("b")).unwrap();
    for path in [root.path().join("a"), root.path().to_owned()] {
        let circle = error(&path);
        assert!(circle.contains("links lead in a circle"), "{circle}");
    }
    let category = expand("Bad Category=x", None, false).unwrap_err().to_string();
    assert!(category.contains("\"Bad Category\""), "{category}");
}

#[test]
fn a_category_and_an_allow_list_can_be_named() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "list", "x");
    let path = root.path().join("list");
    let spec = expand(&format!("my_cat-1={}", path.display()), None, true)
        .unwrap()
        .remove(0);
    assert_eq!((spec.category.as_str(), spec.action), ("my_cat-1", ListAction::Allow));
}
