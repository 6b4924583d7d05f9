//! A list on its way here, and everything that can befall it.

use crate::publisher::{Page, Publisher};
use stairgate::list::fetch::{Bounds, FetchError, Fetched, Fetcher, ListNames, Lookup, Store, fetch};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Knows `lists.test` and nothing else.
struct OneName;

#[async_trait::async_trait]
impl Lookup for OneName {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        match host {
            "lists.test" => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
            _ => Err(format!("{host} does not exist")),
        }
    }
}

struct Home {
    publisher: Publisher,
    state: tempfile::TempDir,
    fetcher: Fetcher,
}

impl Home {
    fn new() -> Home {
        let bounds = Bounds {
            bytes: 1 << 20,
            time: Duration::from_secs(5),
            stall: Duration::from_millis(300),
            connect: Duration::from_secs(2),
        };
        Home {
            publisher: Publisher::start(),
            state: tempfile::tempdir().expect("a temporary folder"),
            fetcher: Fetcher::new(Arc::new(ListNames(Arc::new(OneName))), None, bounds).expect("a client"),
        }
    }

    fn store(&self) -> Store {
        Store::new(self.state.path(), "adult")
    }

    async fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        fetch(&self.fetcher, &self.store(), url, false, count_lines).await
    }

    async fn fetch_page(&self, page: Page) -> Result<Fetched, FetchError> {
        let url = self.publisher.put("/list", page);
        self.fetch(&url).await
    }

    /// What the last good version says.
    fn kept(&self) -> Option<String> {
        let snapshot = self.store().last_good(&self.publisher.url("/list"))?;
        Some(std::fs::read_to_string(snapshot.path).expect("a snapshot"))
    }
}

fn count_lines(path: &Path) -> Result<u64, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(text.lines().count() as u64)
}

fn lines(count: usize) -> String {
    (0..count).map(|at| format!("n{at}.example\n")).collect()
}

#[tokio::test]
async fn a_version_with_an_etag_is_not_downloaded_twice() {
    let home = Home::new();
    let page = Page::Tagged("\"v1\"", lines(3));
    assert!(matches!(home.fetch_page(page.clone()).await, Ok(Fetched::New(_))));
    assert!(matches!(home.fetch_page(page).await, Ok(Fetched::Unchanged(_))));
    assert!(matches!(
        home.fetch_page(Page::Tagged("\"v2\"", lines(4))).await,
        Ok(Fetched::New(_))
    ));
    assert_eq!(home.kept(), Some(lines(4)));
}

#[tokio::test]
async fn a_version_with_a_date_is_not_downloaded_twice() {
    let home = Home::new();
    let page = Page::Dated("Sun, 06 Nov 2022 08:49:37 GMT", lines(3));
    assert!(matches!(home.fetch_page(page.clone()).await, Ok(Fetched::New(_))));
    assert!(matches!(home.fetch_page(page).await, Ok(Fetched::Unchanged(_))));
}

#[tokio::test]
async fn the_same_bytes_again_are_no_new_version() {
    let home = Home::new();
    assert!(matches!(
        home.fetch_page(Page::List(lines(3))).await,
        Ok(Fetched::New(_))
    ));
    assert!(matches!(
        home.fetch_page(Page::List(lines(3))).await,
        Ok(Fetched::Unchanged(_))
    ));
}

#[tokio::test]
async fn every_way_to_fail_leaves_the_last_good_version() {
    let home = Home::new();
    home.fetch_page(Page::List(lines(3))).await.expect("a good fetch");
    let elsewhere = home.publisher.url("/list");
    let broken: Vec<(Page, &str)> = vec![
        (Page::Status(404), "HTTP status 404"),
        (Page::Status(500), "HTTP status 500"),
        (Page::Stall, "sent nothing for"),
        (Page::Endless, "larger than 1048576 bytes"),
        (Page::Truncated, "the download failed"),
        (Page::Garbage, "failed"),
        (Page::HangUp, "failed"),
        (
            Page::List("<!DOCTYPE html><title>Log in</title>".into()),
            "a web page came instead",
        ),
        (Page::List(String::new()), "it is empty"),
        (Page::Gzip(gzip(&lines(50_000))[..2000].to_vec()), "the download failed"),
        (Page::Gzip(gzip(&lines(500_000))), "larger than 1048576 bytes"),
        (Page::Redirect(elsewhere), "redirected too many times"),
        (Page::Redirect("ftp://lists.test/list".into()), "redirected"),
    ];
    for (page, reason) in broken {
        let error = home.fetch_page(page).await.expect_err(reason).to_string();
        assert!(error.contains(reason), "{error:?} does not say {reason:?}");
        assert_eq!(home.kept(), Some(lines(3)), "after {error:?}");
    }
    let left = std::fs::read_dir(home.state.path().join("lists/adult"))
        .expect("the list's folder")
        .count();
    assert_eq!(left, 2, "a failed download left files behind");
}

#[tokio::test]
async fn a_gzip_body_is_unpacked_on_the_way() {
    let home = Home::new();
    home.fetch_page(Page::Gzip(gzip(&lines(3))))
        .await
        .expect("a good fetch");
    assert_eq!(home.kept(), Some(lines(3)));
}

#[tokio::test]
async fn a_list_that_lost_most_of_its_rules_is_held_back_until_accepted() {
    let home = Home::new();
    home.fetch_page(Page::List(lines(1000))).await.expect("a good fetch");
    let held = home.fetch_page(Page::List(lines(400))).await;
    assert!(
        matches!(held, Err(FetchError::Held { was: 1000, now: 400 })),
        "{held:?}"
    );
    assert_eq!(home.kept(), Some(lines(1000)));
    let accepted = fetch(
        &home.fetcher,
        &home.store(),
        &home.publisher.url("/list"),
        true,
        count_lines,
    )
    .await;
    assert!(matches!(accepted, Ok(Fetched::New(_))));
    assert_eq!(home.kept(), Some(lines(400)));
}

#[tokio::test]
async fn a_list_that_exploded_is_held_back() {
    let home = Home::new();
    home.fetch_page(Page::List(lines(1000))).await.expect("a good fetch");
    let held = home.fetch_page(Page::List(lines(4001))).await;
    assert!(
        matches!(held, Err(FetchError::Held { was: 1000, now: 4001 })),
        "{held:?}"
    );
}

#[tokio::test]
async fn a_redirect_is_followed_and_publishers_names_are_looked_up_by_us() {
    let home = Home::new();
    let there = home
        .publisher
        .put("/moved", Page::List(lines(3)))
        .replace("127.0.0.1", "lists.test");
    home.fetch_page(Page::Redirect(there)).await.expect("a good fetch");
    assert_eq!(home.publisher.requests("/moved"), 1);
    let unknown = home
        .fetch("http://nowhere.test/list")
        .await
        .expect_err("no such name")
        .to_string();
    assert!(unknown.contains("nowhere.test does not exist"), "{unknown}");
}

#[tokio::test]
async fn not_modified_without_anything_to_compare_is_a_failure() {
    let home = Home::new();
    assert!(matches!(
        home.fetch_page(Page::Status(304)).await,
        Err(FetchError::Status(304))
    ));
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_written_is_this_machines_fault() {
    let home = Home::new();
    std::fs::write(home.state.path().join("lists"), "a file where a folder should be").expect("a writable folder");
    let error = home
        .fetch_page(Page::List(lines(3)))
        .await
        .expect_err("nowhere to write");
    assert!(error.is_local(), "{error}");
}

#[tokio::test]
async fn a_publisher_whose_certificate_nobody_signed_is_refused_and_one_known_by_its_own_root_is_not() {
    let mut home = Home::new();
    home.publisher = Publisher::start_https();
    let url = home.publisher.put("/list", Page::List(lines(3)));
    let refused = home
        .fetch(&url)
        .await
        .expect_err("a certificate of no known authority")
        .to_string();
    assert!(refused.to_lowercase().contains("certificate"), "{refused}");

    let roots = home.state.path().join("roots.pem");
    std::fs::write(&roots, &home.publisher.root).expect("a writable folder");
    let names = Arc::new(ListNames(Arc::new(OneName)));
    home.fetcher = Fetcher::new(names, Some(&roots), Bounds::default()).expect("a client");
    assert!(matches!(home.fetch(&url).await, Ok(Fetched::New(_))));
    let by_name = url.replace("127.0.0.1", "lists.test");
    assert!(matches!(home.fetch(&by_name).await, Ok(Fetched::New(_))));

    let down = home
        .publisher
        .put("/down", Page::Redirect(url.replace("https:", "http:")));
    let refused = home.fetch(&down).await.expect_err("a redirect to http").to_string();
    assert!(refused.contains("from https to http"), "{refused}");
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}
