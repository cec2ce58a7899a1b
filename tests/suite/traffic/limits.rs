//! Limits of the system and of memory.

use super::*;

#[test]
fn without_descriptors_accepting_waits_without_spinning_and_goes_on_later() {
    let (address, _) = platform(created);
    let limited = |program: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -Sn 64 && ulimit -Hn 64 && exec \"$0\" \"$@\"", program]);
        shell
    };
    let serve = Serve::with(RULES, &format!("http://{address}"), "", "", limited);
    let mut many: Vec<TcpStream> = (0..80).map(|_| serve.connect()).collect();
    // User and kernel time, in hundredths of a second.
    let spent = || -> u64 {
        let stat = serve.of_proc("stat");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    thread::sleep(Duration::from_millis(200));
    let before = spent();
    thread::sleep(Duration::from_millis(600));
    assert!(spent() - before < 20, "{} ms of 600 were spent", (spent() - before) * 10);
    many.clear();
    assert!(serve.ask(make("later")).starts_with("HTTP/1.1 201 "));
    assert!(serve.metric("proxy_accept_failures_total") > 0);
    assert_eq!(messages(&serve.stop()), ["made later"]);
}

#[test]
fn a_hundred_megabytes_pass_each_way_in_constant_memory() {
    const SIZE: usize = 100 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut socket = listener.incoming().next().unwrap().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0; 1];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").unwrap();
        std::io::copy(&mut socket.try_clone().unwrap().take(SIZE as u64), &mut socket).unwrap();
    });
    let serve = Serve::start(address, "", "");
    let mut socket = serve.connect();
    write!(socket, "POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").unwrap();
    let mut sending = socket.try_clone().unwrap();
    let writing =
        thread::spawn(move || std::io::copy(&mut std::io::repeat(7).take(SIZE as u64), &mut sending).unwrap());
    let before = serve.resident();
    let (mut received, mut most, mut chunk) = (0, 0, vec![0; 1 << 20]);
    while received < SIZE {
        received += socket.read(&mut chunk).unwrap();
        most = most.max(serve.resident());
    }
    assert_eq!(writing.join().unwrap(), SIZE as u64);
    assert!(most < before + (16 << 20), "{} MB more were resident", (most - before) >> 20);
}

#[test]
fn three_files_of_20_mb_are_hashed_in_constant_memory() {
    const FILE: usize = 20 << 20;
    let rules = include_str!("../../fixtures/hard/names.toml");
    let (address, _) = platform(|_, body| {
        assert!(body.len() > 3 * FILE);
        reply(
            "201 Created",
            "application/json",
            r#"{"documents":[{"id":1,"name":"a"},{"id":2,"name":"b"},{"id":3,"name":"c"}]}"#,
        )
    });
    let serve = Serve::with(rules, &format!("http://{address}"), "", "", |program| Command::new(program));
    let mut socket = serve.connect();
    let part = "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.bin\"\r\n\r\n";
    let length = 3 * (part.len() + FILE + 2) + "--x--\r\n".len();
    let head = "POST /v1/w1/documents HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x";
    write!(socket, "{head}\r\nContent-Length: {length}\r\n\r\n").unwrap();
    let (before, mut most, block) = (serve.resident(), 0, vec![7; 1 << 20]);
    for _ in 0..3 {
        socket.write_all(part.as_bytes()).unwrap();
        for _ in 0..FILE >> 20 {
            socket.write_all(&block).unwrap();
            most = most.max(serve.resident());
        }
        socket.write_all(b"\r\n").unwrap();
    }
    socket.write_all(b"--x--\r\n").unwrap();
    assert!(read_message(&mut socket).unwrap().0.starts_with("HTTP/1.1 201 "));
    assert!(most < before + (16 << 20), "{} MB more were resident", (most - before) >> 20);
    let events = serve.stop();
    let uploaded = ["a", "b", "c"].map(|name| format!("Uploaded {name} ({FILE} bytes)"));
    assert_eq!(messages(&events), uploaded);
}
