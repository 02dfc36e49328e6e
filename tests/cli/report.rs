//! `report.html` in a browser.

use super::browser::Browser;
use super::support::Sandbox;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

/// Checks a page in both themes, at the window sizes of a desktop and of a phone.
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
        "Promise.all([...document.querySelectorAll('.shot > image[id]')].map(async (shown) => {{
            const image = new Image();
            image.src = shown.getAttribute('href');
            await image.decode();
            const svg = shown.ownerSVGElement;
            return [image.naturalWidth, ({contrast})(image), svg.getAttribute('aria-label')];
        }}))"
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

/// For each picture the visible maps, their captions, and whether each caption belongs to its map.
const SEEN: &str = "(() => {
    const seen = (e) => getComputedStyle(e).display !== 'none';
    const cards = [...document.querySelectorAll('.card')].map(card => {
        const maps = [...card.querySelectorAll('svg.view')].filter(seen);
        const captions = [...card.querySelectorAll('.share')].filter(seen);
        return [maps.length, captions.map(c => c.textContent),
            captions.every((c, i) => maps[i].getAttribute('aria-label').endsWith(': ' + c.textContent)
                && maps[i].classList.value.replace('shot ', '') === c.classList.value.replace('share ', ''))];
    });
    return [cards, document.querySelector('.switch input:checked').value];
})()";

/// The switch between heat maps works, by mouse and by keyboard.
fn switches(browser: &mut Browser) {
    browser.show(1280, 900, "light");
    let all_show = |seen: &Value, maps: u64| {
        let cards = seen[0].as_array().unwrap();
        assert!(!cards.is_empty());
        for card in cards {
            let captions = card[1].as_array().unwrap().len() as u64;
            assert_eq!(
                (&card[0], captions, &card[2]),
                (&json!(maps), maps, &json!(true)),
                "{card}"
            );
        }
    };
    let seen = browser.evaluate(SEEN);
    assert_eq!(seen[1], "own");
    all_show(&seen, 1);
    browser.evaluate("document.querySelector('.switch [value=own]').focus()");
    browser.press("ArrowRight", 39);
    let seen = browser.evaluate(SEEN);
    assert_eq!(seen[1], "c0");
    all_show(&seen, 1);
    // On paper it is said which maps these are.
    let print = json!({"media": "print", "features": []});
    browser.call("Emulation.setEmulatedMedia", print);
    all_show(&browser.evaluate(SEEN), 1);
    let labels = "[...document.querySelectorAll('.switch label')]
        .filter(l => getComputedStyle(l).display !== 'none').map(l => l.textContent.trim())";
    assert_eq!(browser.evaluate(labels), json!(["dark"]));
    browser.call("Emulation.setEmulatedMedia", json!({"media": "", "features": []}));
    browser.evaluate("document.querySelector('.switch [value=none]').click()");
    all_show(&browser.evaluate(SEEN), 0);

    // A value is told where the pointer is, and stays in the drawing for those who read it otherwise.
    let hover = "(() => {
        const dot = document.querySelector('.curves svg circle');
        dot.scrollIntoView({block: 'center', behavior: 'instant'});
        const at = dot.getBoundingClientRect();
        dot.ownerSVGElement.dispatchEvent(new PointerEvent('pointermove',
            {bubbles: true, clientX: at.left + 2, clientY: at.top + 2}));
        const tip = document.getElementById('tip');
        return [tip.hidden, tip.textContent, dot.querySelector('title').textContent];
    })()";
    let tip = browser.evaluate(hover);
    assert_eq!(tip[0], false);
    assert_eq!(tip[1], tip[2]);
    assert!(tip[1].as_str().unwrap().starts_with("epoch 1: training loss"), "{tip}");
}

/// Pictures open large by keyboard, and the focus comes back.
fn enlarges(browser: &mut Browser) {
    browser.show(1280, 900, "light");
    browser.evaluate("document.querySelectorAll('.card .enlarge')[1].focus()");
    browser.press("Enter", 13);
    let large = "(() => {
        const large = document.getElementById('large'), first = large.querySelector('svg');
        return [large.open, first?.getAttribute('aria-label'), first?.getBoundingClientRect().width > 300,
            document.activeElement.textContent];
    })()";
    let labels = browser.evaluate(
        "[...document.querySelectorAll('.card')].map(c => c.querySelector('svg').getAttribute('aria-label'))",
    );
    assert_eq!(browser.evaluate(large), json!([true, labels[1], true, "Close"]));
    browser.press("ArrowRight", 39);
    assert_eq!(browser.evaluate(large)[1], labels[2]);
    browser.press("Escape", 27);
    assert_eq!(browser.evaluate(large)[0], false);
    let button = json!(format!("Enlarge {}", labels[2].as_str().unwrap()));
    // The event for a closed dialog comes a moment later.
    let focused = format!(
        "(async () => {{
            const label = () => document.activeElement.getAttribute('aria-label');
            for (let i = 0; i < 100 && label() !== {button}; i++) await new Promise(r => setTimeout(r, 20));
            return label();
        }})()"
    );
    assert_eq!(browser.evaluate(&focused), button);
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
    enlarges(&mut browser);
}

/// A caption belongs to its view: the share is that of the class's own map, as `gradcam` computes it.
#[test]
fn captions_are_those_of_their_maps() {
    let sandbox = Sandbox::new();
    // Grey spots on a plain ground, so that subject and background can be told apart.
    let spot = |x: u32, y: u32, grey: u8| {
        let picture = RgbImage::from_fn(44, 44, |column, row| {
            let inside = (x..x + 14).contains(&column) && (y..y + 18).contains(&row);
            Rgb([if inside { grey } else { 250 }; 3])
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    for (class, grey) in [("dark", 30), ("light", 120)] {
        for (part, count) in [("train", 6), ("test", 3)] {
            for i in 0..count {
                let (x, y) = (4 + 3 * i, 22 - 2 * i);
                sandbox.write(format!("set/{part}/{class}/{i}.png"), spot(x, y, grey + i as u8));
            }
        }
    }
    let train = ["train", "--data", "set", "--out", "run", "--image-size", "44", "--epochs", "3"];
    sandbox.run(train).ok();
    let page = sandbox.text("run/report.html");
    let mut shares = 0;
    for class in ["dark", "light"] {
        let out = format!("heat-{class}");
        let args =
            ["gradcam", "--model", "run", "set/test", "--class", class, "--json", "--out", &out];
        for one in sandbox.run(args).json().as_array().unwrap() {
            let file = one["file"].as_str().unwrap().trim_start_matches("set/");
            let told = match one["background_share"].as_f64() {
                Some(share) => {
                    shares += 1;
                    format!("{:.0}\u{a0}% of heat on background\"", share * 100.0)
                }
                None if one["no_share"] == "empty" => "empty map".into(),
                None => String::new(),
            };
            let label = format!("aria-label=\"{file}, evidence for {class}: {told}");
            assert!(page.contains(&label), "{label}: {one}");
        }
    }
    assert!(shares > 3, "{shares} maps with a share are too few to test anything");
}

#[test]
fn the_switch_needs_no_script() {
    let Some(mut browser) = Browser::start() else { return };
    let sandbox = Sandbox::with_run();
    browser.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    browser.open(&sandbox.path("run/report.html"));
    assert_eq!(browser.evaluate("document.documentElement.className"), "");
    for (view, maps) in [("own", 1), ("c1", 1), ("none", 0)] {
        browser.evaluate(&format!("document.querySelector('[value={view}]').checked = true"));
        let seen = browser.evaluate(SEEN);
        assert_eq!(seen[1], view);
        for card in seen[0].as_array().unwrap() {
            assert_eq!(card[0], maps, "{card}");
        }
    }
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
    // The exercises are one sheet.
    browser.open(&sandbox.path("experiment/handout.html"));
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.printed_pages(), 1);
    fits_every_window(&mut browser);
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
