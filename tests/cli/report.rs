//! `report.html`, as a browser shows it.

use super::browser::Browser;
use super::support::Sandbox;
use serde_json::{Value, json};

/// Looks at a page in both themes, at the sizes of a desk and of a phone.
fn looks_right(browser: &mut Browser, file: &std::path::Path, pictures: usize) {
    browser.show(1280, 900, "light");
    browser.open(file);
    assert_eq!(browser.complaints(), [""; 0]);

    // Every picture is there, and none is of one colour.
    let contrast = "(image) => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 16;
        const at = canvas.getContext('2d');
        at.drawImage(image, 0, 0, 16, 16);
        const all = [...at.getImageData(0, 0, 16, 16).data].filter((_, i) => i % 4 < 3);
        return Math.max(...all) - Math.min(...all);
    }";
    let photos = browser.evaluate(&format!(
        "[...document.querySelectorAll('.shot img:not(.heat)')]
            .map(i => [i.naturalWidth, ({contrast})(i), i.alt])"
    ));
    let photos = photos.as_array().unwrap();
    assert_eq!(photos.len(), pictures);
    for photo in photos {
        assert!(photo[0].as_u64() >= Some(100) && photo[1].as_u64() >= Some(10), "{photo}");
        assert!(photo[2].as_str().unwrap().contains("answered"), "{photo}");
    }
    let charts = browser.evaluate("document.querySelectorAll('main svg[role=img]').length");
    assert!(charts.as_u64() >= Some(3), "{charts}");

    let paper_now = fits_every_window(browser);
    // Drawings follow the theme.
    let paper = "getComputedStyle(document.querySelector('.plot-paper')).fill";
    assert_eq!(browser.evaluate(paper), paper_now);
    assert_eq!(browser.complaints(), [""; 0]);
    keep_a_picture(browser, file);
}

/// The whole page fits its window: nobody has to scroll sideways, in either theme. Returns the
/// background of the last.
pub fn fits_every_window(browser: &mut Browser) -> Value {
    let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let background = "getComputedStyle(document.body).backgroundColor";
    let mut papers = Vec::new();
    for (width, theme) in [(1280, "light"), (1280, "dark"), (390, "light"), (320, "dark")] {
        browser.show(width, 800, theme);
        assert!(browser.evaluate(overflow).as_i64() <= Some(0), "{width} {theme}");
        papers.push(browser.evaluate(background));
    }
    assert_ne!(papers[0], papers[1]);
    papers[3].clone()
}

/// The switch between heat maps works, by mouse and by keyboard.
fn switches(browser: &mut Browser) {
    browser.show(1280, 900, "light");
    let shown = "(() => {
        const seen = [...document.querySelectorAll('.heat')]
            .filter(h => getComputedStyle(h).opacity > 0);
        return [seen.length, seen.every(h => h.classList.contains('own')),
            document.querySelector('.switch input:checked').value];
    })()";
    let photos = browser.evaluate("document.querySelectorAll('.shot').length");
    assert_eq!(browser.evaluate(shown), json!([photos, true, "own"]));
    browser.evaluate("document.querySelector('.switch [value=own]').focus()");
    browser.press("ArrowRight", 39);
    assert_eq!(browser.evaluate(shown)[0], photos);
    assert_eq!(browser.evaluate(shown)[2], "c0");
    browser.evaluate("document.querySelector('.switch [value=none]').click()");
    assert_eq!(browser.evaluate(shown)[0], 0);

    // A value is told where the pointer is.
    let hover = "(() => {
        const dot = document.querySelector('svg circle');
        dot.dispatchEvent(new PointerEvent('pointerover', {bubbles: true}));
        return [document.getElementById('tip').hidden, document.getElementById('tip').textContent];
    })()";
    let tip = browser.evaluate(hover);
    assert_eq!(tip[0], false);
    assert!(tip[1].as_str().unwrap().starts_with("epoch 1: training loss"), "{tip}");
}

/// Where `NN_SCREENSHOTS` names a folder, leaves a picture of the page there, for people to look at.
pub fn keep_a_picture(browser: &mut Browser, file: &std::path::Path) {
    let Some(folder) = std::env::var_os("NN_SCREENSHOTS") else { return };
    let name = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    for (width, theme) in [(1280, "light"), (1280, "dark"), (390, "light")] {
        browser.show(width, 900, theme);
        let result = browser.call(
            "Page.captureScreenshot",
            json!({"captureBeyondViewport": true, "format": "png"}),
        );
        let path = std::path::Path::new(&folder).join(format!("{name}-{width}-{theme}.png.base64"));
        std::fs::write(path, result["data"].as_str().unwrap()).unwrap();
    }
}

#[test]
fn the_page_of_a_run_works_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let sandbox = Sandbox::with_run();
    looks_right(&mut browser, &sandbox.path("run/report.html"), 4);
    switches(&mut browser);
}

#[test]
fn the_page_of_an_experiment_works_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let sandbox = Sandbox::with_sets();
    sandbox.experiment(&["--seeds", "2"]).ok();
    looks_right(&mut browser, &sandbox.path("experiment/report.html"), 12);
    switches(&mut browser);
    // On paper: everything is open, and nothing is cut off.
    let pdf = browser.call("Page.printToPDF", json!({"printBackground": true}));
    assert!(pdf["data"].as_str().is_some_and(|data| data.len() > 20_000));
    assert_eq!(browser.evaluate("document.querySelectorAll('details:not([open])').length"), 0);
}

/// A set whose names would be markup if nobody escaped them, and a run on it: `run`.
fn hostile() -> (Sandbox, [&'static str; 3]) {
    let sandbox = Sandbox::new();
    // A name of a file holds no slash, so no tag is closed in it; the escaping is the same.
    let classes = ["<img src=x onerror=alert(1)>", "\"><script>alert(2)<", "{{ 7 * 7 }} & 'co'"];
    for class in classes {
        for part in ["train", "test"] {
            sandbox.images(format!("<b>set/{part}/{class}"), 3);
        }
    }
    let file = format!("<b>set/test/{}/' onload='alert(3)<svg>.png", classes[0]);
    sandbox.write(file, super::support::png("dark", 7));
    sandbox.train(&["--data", "<b>set", "--out", "run"]).ok();
    (sandbox, classes)
}

#[test]
fn hostile_names_are_escaped() {
    let (sandbox, _) = hostile();
    let page = sandbox.text("run/report.html");
    for markup in ["<b>", "<img src=x", "<script>alert", "onload='alert", "<svg>"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("alert(3)") && page.contains("{{ 7 * 7 }}"));
}

#[test]
fn hostile_names_stay_text_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let (sandbox, classes) = hostile();
    looks_right(&mut browser, &sandbox.path("run/report.html"), 10);
    let text = browser.evaluate("document.body.innerText");
    for name in classes {
        assert!(text.as_str().unwrap().contains(name), "{name}");
    }
    let elements = "document.querySelectorAll('main script, [onerror], [onload], b').length";
    assert_eq!(browser.evaluate(elements), 0);
    assert_eq!(browser.evaluate("document.title"), Value::from("Training on <b>set"));
}

#[test]
fn a_page_loads_nothing_and_says_so_to_the_browser() {
    let page = Sandbox::with_run().text("run/report.html");
    assert!(page.contains("default-src 'none'"));
    for address in page.split("src=\"").chain(page.split("href=\"")).skip(1) {
        assert!(
            ["data:", "#", "<!doctype"].iter().any(|own| address.starts_with(own)),
            "{:.60}",
            address
        );
    }
}

/// The tests above would notice a page that is not as it should be.
#[test]
fn the_browser_tells_what_is_wrong() {
    let Some(mut browser) = Browser::start() else { return };
    let sandbox = Sandbox::new();
    let page = "<!doctype html><title>x</title><body style='width:2000px'>x\
        <script>console.error('one'); setTimeout(() => { throw new Error('two') })</script>\
        <script src='http://127.0.0.1:9/three.js'></script>";
    let file = sandbox.write("bad.html", page);
    browser.show(390, 800, "light");
    browser.open(&file);
    let all = browser.complaints().join("\n");
    for part in ["one", "two", "three.js"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let wide = browser.evaluate("document.documentElement.scrollWidth");
    let seen = browser.evaluate("document.documentElement.clientWidth");
    assert!(wide.as_u64() >= Some(2000) && seen.as_u64() <= Some(390), "{wide} in {seen}");
}
