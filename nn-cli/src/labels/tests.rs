use super::*;

const FOLDER: &str = "photos";

/// The classes and splits of `a.jpg`, `b.png`, `more/c.jpg` and `more/d.v2.jpg` by this table.
fn labelled(table: &str) -> Result<Labelled> {
    with_column(table, None)
}

fn with_column(table: &str, column: Option<&str>) -> Result<Labelled> {
    let names = ["a.jpg", "b.png", "more/c.jpg", "more/d.v2.jpg"];
    let images = names.map(|name| Path::new(FOLDER).join(name)).to_vec();
    let column = Asked { label: column, group: None };
    label(table.as_bytes(), column, Path::new("t.csv"), Path::new(FOLDER), images, Vec::new())
}

/// `file: class split` of all images, in the folder's order.
fn told(table: &str) -> Vec<String> {
    let folder = labelled(table).map_err(|error| panic!("{error}: {table}")).unwrap().folder;
    let image = |image: &FolderImage| {
        let file = nn_core::data::relative(&folder.root, &image.path);
        let class = image.label.map_or("-", |label| &folder.classes[label]);
        format!("{file}: {class} {}", image.part.map_or("-", Part::name))
    };
    folder.images.iter().map(image).collect()
}

#[test]
fn files_are_found_by_all_their_names() {
    let expected = ["b.png: cat -", "more/d.v2.jpg: cat -", "a.jpg: dog -", "more/c.jpg: dog -"];
    for table in [
        "file,label\na.jpg,dog\nb.png,cat\nmore/c.jpg,dog\nmore/d.v2.jpg,cat\n",
        "image_id,dx\na,dog\nb,cat\nc,dog\nd.v2,cat\n",
        "Class;File Name\ndog;a.jpg\ncat;b.png\ndog;c.jpg\ncat;d.v2.jpg\n",
        "\u{feff}path\tcategory\nphotos/a.jpg\tdog\n./b.png\tcat\nx\\more\\c.jpg\tdog\n/y/d.v2.jpg\tcat\n",
        "id,age,target\r\na, 3 ,dog\r\nb,,cat\r\nc,1,dog\r\n\"d.v2\",2,cat\r\n",
        "image,cat,dog\na,0.0,1.0\nb,1,0\nc,0,1\nd.v2,1.0,\n",
        "Image,Id\na.jpg,dog\nb.png,cat\nc.jpg,dog\nd.v2.jpg,cat\n",
    ] {
        assert_eq!(told(table), expected, "{table}");
    }
}

#[test]
fn a_column_says_what_is_for_what() {
    let table =
        "filename,label,Split\na.jpg,dog,train\nb.png,cat,TRAIN\nc,dog,valid\nd.v2,cat,test\n";
    let expected = [
        "b.png: cat train",
        "a.jpg: dog train",
        "more/c.jpg: dog validation",
        "more/d.v2.jpg: cat test",
    ];
    assert_eq!(told(table), expected);
    let folder = labelled(table).unwrap().folder;
    let split = folder.split(0.125, 1).unwrap();
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (2, 1, 1));
    let note = labelled(table).unwrap().note;
    assert!(note.ends_with("files in column filename, classes in label, split in Split"), "{note}");
    // Without validation images, and without training images of one class.
    let folder = labelled("file,label,split\na,dog,train\nb,cat,test\n").unwrap().folder;
    let message = folder.split(0.0, 1).unwrap_err().to_string();
    assert!(message.contains("no image for training of class cat"), "{message}");
}

#[test]
fn a_column_may_be_named() {
    let table = "image,label,Smiling\na,1,yes\nb,2,no\n";
    let classes = |column| with_column(table, column).unwrap().folder.classes;
    assert_eq!(classes(None), ["1", "2"]);
    assert_eq!(classes(Some("Smiling")), ["no", "yes"]);
    let message = with_column(table, Some("frown")).err().unwrap().to_string();
    assert!(message.contains("no column frown, only image, label, Smiling"), "{message}");
}

#[test]
fn what_is_missing_is_listed() {
    let folder = labelled("file,label,split\na,dog,train\nb,,test\nc,cat,\nx.jpg,cat,test\n")
        .unwrap()
        .folder;
    let all: Vec<String> = folder
        .passed_over_in_training()
        .iter()
        .map(|one| format!("{}: {}", one.path, one.reason))
        .collect();
    assert_eq!(
        all,
        [
            "b.png: without a class in the table of labels",
            "more/c.jpg: without a split in the table of labels",
            "more/d.v2.jpg: without a class in the table of labels",
            "x.jpg: in the table of labels, but not in the folder",
        ]
    );
}

#[test]
fn errors_name_line_and_column() {
    for (table, says) in [
        ("", "the table is empty"),
        ("a.jpg,dog\nb.png,cat\n", "line 1: no column is called file"),
        (
            "file,size,age\na,1,2\n",
            "line 1: no column is called label, class, category or target; there are",
        ),
        ("file,label\n", "no line after"),
        ("file,label\na.jpg,dog\nb.png\n", "line 3: there are 1 cells, but 2 columns"),
        ("file,label\na.jpg,dog\n,cat\n", "line 3, column file: there is no file name"),
        (
            "file,label\na.jpg,dog\n\"a\",cat\n",
            "line 3, column file: a.jpg is cat here and dog in line 2",
        ),
        ("file,label\nx,dog\ny,cat\n", "line 2, column file: no image of photos is called \"x\""),
        ("file,label,split\na,dog,banana\n", "line 2, column split: a is for \"banana\""),
        ("image,cat,dog\na,1,0\nb,1,1\n", "line 3, column dog: b is cat and dog"),
        ("file,label\na.jpg,\n", "no line has both"),
        ("PK\u{3}\u{4}", "Excel"),
        ("<!DOCTYPE html>", "an HTML page, not a table"),
    ] {
        let message = labelled(table).err().unwrap().to_string();
        assert!(message.starts_with("t.csv: ") && message.contains(says), "{message}");
    }
    let latin = label(
        b"file,label\na,M\xe4dchen\n",
        Asked::default(),
        Path::new("t.csv"),
        Path::new("."),
        vec![],
        vec![],
    );
    assert!(latin.err().unwrap().to_string().contains("line 2: this is not UTF-8"));
    // Two images with the same file name.
    let images = ["x/a.jpg", "y/a.jpg"].map(PathBuf::from).to_vec();
    let table = b"file,label\na,dog\n";
    let found = label(table, Asked::default(), Path::new("t.csv"), Path::new(""), images, vec![]);
    let message = found.err().unwrap().to_string();
    assert!(message.contains("line 2, column file: a may be x/a.jpg or y/a.jpg"), "{message}");
}

#[test]
fn a_column_says_what_belongs_together() {
    let table = "file,patient_id,label,site\na.jpg,p1,dog,x\nb.png,p2,cat,x\nc.jpg,p1,dog,y\nd.v2.jpg,,cat,y\n";
    let names = ["a.jpg", "b.png", "more/c.jpg", "more/d.v2.jpg"];
    let images = || names.map(|name| Path::new(FOLDER).join(name)).to_vec();
    let grouped = |table: &str, group: &str| {
        let asked = Asked { label: None, group: Some(group) };
        label(table.as_bytes(), asked, Path::new("t.csv"), Path::new(FOLDER), images(), Vec::new())
    };
    let found = grouped(table, "Patient ID").unwrap();
    assert!(found.note.ends_with("groups in patient_id"), "{}", found.note);
    let group = |name: &str| found.groups.get(&Path::new(FOLDER).join(name)).map(String::as_str);
    assert_eq!(names.map(group), [Some("p1"), Some("p2"), Some("p1"), None]);
    // A column with the groups has no classes in it.
    let found = grouped("file,patient,kind\na.jpg,p1,dog\nb.png,p2,cat\n", "patient").unwrap();
    assert_eq!(found.folder.classes, ["cat", "dog"]);
    let message = grouped(table, "subject").err().unwrap().to_string();
    assert!(message.contains("no column subject, only file, patient_id"), "{message}");
    let message = grouped("file,who,label\na,p1,dog\na.jpg,p2,dog\n", "who").err().unwrap();
    assert!(message.to_string().contains("dog, of p2 here and dog, of p1 in line 2"), "{message}");
}
