//! Properties of every page: it can be used with a keyboard, a screen reader, large fonts and the
//! dark theme, and it does not contain the path of the images.

use super::audit::blocks;
use super::browser::Browser;
use super::support::{SMALL, Sandbox};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The file `axe.min.js` of axe-core, which checks rules on accessibility. If the variable is set,
/// the check must run.
const AXE: &str = "NN_AXE";

/// A sandbox with one page of every kind, and the paths of these pages: an experiment whose sets have
/// copies, its exercises, one of its runs, an audit that finds leaks and one that finds none, a cross-validation.
fn all() -> (Sandbox, Vec<PathBuf>) {
    let sandbox = Sandbox::with_sets();
    for class in ["dark", "light"] {
        for (half, first) in [("train", 0), ("test", 10)] {
            for i in 0..3 {
                let (name, number) =
                    (format!("{i}.png"), first + i + u32::from(class == "light") * 100);
                sandbox.write(format!("clean/{half}/{class}/{name}"), blocks("dark", number));
            }
        }
    }
    let copy = sandbox.bytes("data/same_backgrounds/train/dark/1.png");
    sandbox.write("data/same_backgrounds/test/dark/1.png", copy);
    sandbox.experiment(&["--seeds", "2"]).ok();
    let audits = [("data/same_backgrounds", "leaks.html"), ("clean", "clean.html")];
    for ((folder, page), status) in audits.into_iter().zip([3, 0]) {
        let ended = sandbox.run(["audit", folder, "--validation-split", "0", "--html", page]);
        assert_eq!(ended.status, status, "{ended:?}");
    }
    sandbox.train(&["--data", "clean/train", "--folds", "2", "--out", "folds"]).ok();
    let names = ["report.html", "handout.html", "runs/clean-27/report.html"];
    let mut pages: Vec<PathBuf> =
        names.iter().map(|name| sandbox.path("experiment").join(name)).collect();
    pages.extend(["leaks.html", "clean.html", "folds/report.html"].map(|name| sandbox.path(name)));
    (sandbox, pages)
}

/// The violations that axe finds on the open page, with all of its sections unfolded.
fn violations(browser: &mut Browser, axe: &str) -> Value {
    browser.evaluate(&format!("{axe}; true"));
    browser.evaluate(
        "(async () => {
            for (const closed of document.querySelectorAll('details')) closed.open = true;
            const found = await axe.run(document, {resultTypes: ['violations']});
            return found.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))]);
        })()",
    )
}

#[test]
fn axe_finds_nothing_on_any_page() {
    let Some(path) = std::env::var_os(AXE) else {
        eprintln!("skipped: {AXE} names no axe.min.js; .ci/run gets it");
        return;
    };
    let axe = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{AXE}={path:?}: {e}"));
    let Some(mut browser) = Browser::start() else { return };
    let (sandbox, pages) = all();
    for page in &pages {
        for (width, theme) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
            browser.show(width, 900, theme);
            browser.open(page);
            assert_eq!(violations(&mut browser, &axe), json!([]), "{page:?} {width} {theme}");
        }
    }
    // It would notice.
    let bad = "<!doctype html><html lang=en><title>x</title><main><h1>x</h1><img src='data:,'>\
        <p style='color:#999'>pale</p></main>";
    let bad = sandbox.write("bad.html", bad);
    browser.call("Page.navigate", json!({"url": format!("file://{}", bad.display())}));
    let found = violations(&mut browser, &axe).to_string();
    assert!(found.contains("image-alt") && found.contains("color-contrast"), "{found}");
}

/// Nodes that axe cannot decide: text in drawings on a rectangle.
#[test]
fn letters_in_drawings_stand_out_in_both_themes() {
    let Some(mut browser) = Browser::start() else { return };
    let (_sandbox, pages) = all();
    let pale = "(() => {
        const light = (colour) => {
            const [r, g, b] = colour.match(/[\\d.]+/g).map(v => v / 255)
                .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const pale = [];
        for (const text of document.querySelectorAll('main svg text')) {
            const svg = text.ownerSVGElement, at = text.getBBox();
            const middle = [at.x + at.width / 2, at.y + at.height / 2];
            // The last rectangle that was drawn beneath it; letters that are turned stand on the paper.
            const below = [...svg.querySelectorAll('rect')].filter(r => {
                const [x, y, w, h] = ['x', 'y', 'width', 'height'].map(n => r[n].baseVal.value);
                return !text.hasAttribute('transform')
                    && x <= middle[0] && middle[0] <= x + w && y <= middle[1] && middle[1] <= y + h;
            }).pop() || svg.querySelector('.plot-paper');
            const [a, b] = [text, below].map(e => light(getComputedStyle(e).fill));
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (contrast < 4.5) pale.push([text.textContent, contrast]);
        }
        return [document.querySelectorAll('main svg text').length, pale];
    })()";
    for page in [&pages[0], &pages[2]] {
        for theme in ["light", "dark"] {
            browser.show(1280, 900, theme);
            browser.open(page);
            let found = browser.evaluate(pale);
            assert!(found[0].as_u64() > Some(40));
            assert_eq!(found[1], json!([]), "{page:?} {theme}");
        }
    }
}

#[test]
fn letters_twice_as_large_still_fit() {
    let Some(mut browser) = Browser::start() else { return };
    let (_sandbox, pages) = all();
    for page in &pages {
        browser.open(page);
        browser.evaluate("document.documentElement.style.fontSize = '200%'");
        for width in [1280, 640] {
            browser.show(width, 900, "light");
            let wide =
                "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert!(browser.evaluate(wide).as_i64() <= Some(0), "{page:?} {width}");
        }
    }
}

#[test]
fn the_keyboard_goes_through_a_page_in_order_and_is_seen() {
    let Some(mut browser) = Browser::start() else { return };
    let (_sandbox, pages) = all();
    for page in &pages {
        browser.show(1280, 900, "light");
        browser.open(page);
        let focus = "(() => {
            const at = document.activeElement, all = [...document.querySelectorAll('*')];
            if (at === document.body) return null;
            const style = getComputedStyle(at), box = at.getBoundingClientRect();
            return [all.indexOf(at), style.outlineStyle !== 'none' && box.width > 0 && box.height > 0, at.outerHTML.slice(0, 120)];
        })()";
        let mut last = -1;
        for step in 0.. {
            browser.press("Tab", 9);
            let now = browser.evaluate(focus);
            let Some(place) = now[0].as_i64().filter(|&place| place > last) else {
                // Round once.
                let stops =
                    "[...document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]')]
                    .filter(e => e.checkVisibility()).length";
                let stops = browser.evaluate(stops).as_i64().unwrap();
                let is_round = now.is_null() || now[0].as_i64() < Some(last);
                assert!(is_round && step as i64 >= stops, "{page:?}: {step} of {stops}, {now}");
                break;
            };
            assert_eq!(now[1], true, "{page:?}: {now}");
            last = place;
        }
    }
}

/// Tables that are wider than a phone say so, and can be scrolled.
#[test]
fn wide_tables_show_on_a_phone_that_they_go_on() {
    let Some(mut browser) = Browser::start() else { return };
    let (_sandbox, pages) = all();
    browser.show(390, 800, "light");
    browser.open(&pages[0]);
    let wide =
        "[...document.querySelectorAll('.wide')].filter(w => w.scrollWidth > w.clientWidth + 1)
        .map(w => getComputedStyle(w, '::before').content)";
    let wide = browser.evaluate(wide);
    let wide = wide.as_array().unwrap();
    assert!(!wide.is_empty());
    assert!(wide.iter().all(|said| said.as_str().unwrap().contains("sideways")), "{wide:?}");
}

/// Pages are shared, so they must not contain the paths of their author's folders.
#[test]
fn no_page_tells_where_its_images_lie() {
    let sandbox = Sandbox::with_sets();
    let text = |path: PathBuf| path.canonicalize().unwrap().display().to_string();
    std::fs::create_dir_all(sandbox.path("home/grace")).unwrap();
    std::fs::rename(sandbox.path("data"), sandbox.path("home/grace/data")).unwrap();
    let home = text(sandbox.path("home/grace"));
    let data = format!("{home}/data");
    let one = format!("{data}/same_backgrounds");
    let experiment = ["experiment", "--data-root", &data, "--out", "experiment"];
    sandbox.run([&experiment[..], &SMALL].concat()).ok();
    sandbox.train(&["--data", &one, "--out", "run"]).ok();
    let split = format!("{home}/split.csv");
    std::fs::copy(sandbox.path("run/split.csv"), &split).unwrap();
    sandbox
        .train(&["--data", "home/grace/data/same_backgrounds", "--split", &split, "--out", "more"])
        .ok();
    // A folder that cannot be trained on, with files that cannot be read.
    sandbox.write("home/grace/data/odd/train/dark/1.png", "no image");
    sandbox.images("home/grace/data/odd/train/dark", 1);
    sandbox.images("home/grace/data/odd/test/light", 2);
    let odd = format!("{data}/odd");
    for (folder, page) in
        [(one.as_str(), "one.html"), (&odd, "odd.html"), ("home/grace/data/odd", "again.html")]
    {
        sandbox.run(["audit", folder, "--html", page]);
    }
    let pages = [
        "experiment/report.html",
        "experiment/handout.html",
        "experiment/runs/leaky-27/report.html",
    ];
    let more = ["run/report.html", "more/report.html", "one.html", "odd.html", "again.html"];
    for page in pages.into_iter().chain(more) {
        let html = sandbox.text(page);
        let tail = |at: usize| html[at.saturating_sub(60)..].chars().take(120).collect::<String>();
        for secret in ["grace", home.trim_start_matches('/').split('/').next().unwrap()] {
            // Where a temporary folder is called `tmp`, only as a part of a path.
            let secret = if secret == "grace" { secret.to_string() } else { format!("/{secret}/") };
            assert!(!html.contains(&secret), "{page}: {}", tail(html.find(&secret).unwrap()));
        }
    }
    assert!(sandbox.text("odd.html").contains("cannot be trained on"));
    assert!(sandbox.text("experiment/report.html").contains("--data-root DATA_ROOT"));
}

/// 95 of 100 images are of one class, so always predicting it scores 95 %.
#[test]
fn guessing_is_marked_where_it_is() {
    let sandbox = Sandbox::new();
    for (class, train, test) in [("dark", 20, 9), ("light", 4, 1)] {
        sandbox.images(format!("set/train/{class}"), train);
        sandbox.images(format!("set/test/{class}"), test);
    }
    sandbox.train(&["--data", "set", "--validation-split", "0", "--out", "run"]).ok();
    let page = sandbox.text("run/report.html");
    let said = "Always answering \u{201c}dark\u{201d} would score 90.0\u{a0}%, uniform guessing 50.0\u{a0}%.";
    assert!(page.contains(said));
    assert!(page.contains("class=\"chance\" style=\"left:90.00%\""));
    assert!(page.contains("class=\"uniform\" style=\"left:50.00%\""));
    // The curves are of the 24 training images.
    let curves = sandbox.text("run/curves.svg");
    assert!(
        curves.contains(">largest class</tspan> 83.3 %")
            && curves.contains(">uniform guessing</tspan> 50 %")
    );
}
