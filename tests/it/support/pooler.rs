//! A transaction pooler, stricter than most: every transaction gets another server session than the one before.
//!
//! What a client leaves in a session (prepared statements, settings, advisory locks) is not there in its next transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

const SSL_REQUEST: u32 = 80_877_103;
const SESSIONS: usize = 3;

/// Startup parameters that poolers pass on or keep; others they refuse.
const KNOWN: [&str; 7] =
    ["user", "database", "client_encoding", "DateStyle", "TimeZone", "application_name", ""];

/// The port of a pooler in front of one database; it ends with the runtime it was started on.
pub async fn start(server_port: u16, database: &str) -> u16 {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(Arc::new(Mutex::new(log_in(server_port, database).await)));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let pool = Arc::new(Pool { sessions, turn: AtomicUsize::new(0) });
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { serve(client, &pool).await });
        }
    });
    port
}

type Session = BufReader<TcpStream>;

struct Pool {
    sessions: Vec<Arc<Mutex<Session>>>,
    turn: AtomicUsize,
}

/// A message of the protocol: its kind, and its bytes as they go over the wire.
struct Message {
    kind: u8,
    bytes: Vec<u8>,
}

async fn read_message(stream: &mut Session) -> std::io::Result<Message> {
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    let mut bytes = vec![0; length as usize + 1];
    bytes[0] = kind;
    bytes[1..5].copy_from_slice(&length.to_be_bytes());
    stream.read_exact(&mut bytes[5..]).await?;
    Ok(Message { kind, bytes })
}

fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608u32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend(body);
    packet
}

async fn log_in(port: u16, database: &str) -> Session {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    let packet = startup(&[("user", "postgres"), ("database", database)]);
    stream.write_all(&packet).await.unwrap();
    while read_message(&mut stream).await.unwrap().kind != b'Z' {}
    stream
}

/// Answers the client's startup without a server.
async fn greet(client: &mut Session) -> std::io::Result<bool> {
    loop {
        let length = client.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        client.read_exact(&mut body).await?;
        if body[..4] == SSL_REQUEST.to_be_bytes() {
            client.write_all(b"N").await?;
            continue;
        }
        let names: Vec<_> = body[4..].split(|byte| *byte == 0).step_by(2).collect();
        let unknown =
            names.iter().find(|name| !KNOWN.iter().any(|known| known.as_bytes() == **name));
        if let Some(name) = unknown {
            let name = String::from_utf8_lossy(name).into_owned();
            let text =
                format!("SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: {name}\0\0");
            client.write_u8(b'E').await?;
            client.write_u32(text.len() as u32 + 4).await?;
            client.write_all(text.as_bytes()).await?;
            return Ok(false);
        }
        client.write_all(b"R\0\0\0\x08\0\0\0\0S\0\0\0\x18server_version\x0015.0\0").await?;
        client.write_all(b"K\0\0\0\x0c\0\0\0\0\0\0\0\0Z\0\0\0\x05I").await?;
        return Ok(true);
    }
}

async fn serve(client: TcpStream, pool: &Pool) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::new(client);
    if !greet(&mut client).await? {
        return Ok(());
    }
    loop {
        // The client's first message of a transaction decides that it needs a session.
        let message = read_message(&mut client).await?;
        if message.kind == b'X' {
            return Ok(());
        }
        let turn = pool.turn.fetch_add(1, Ordering::Relaxed);
        let mut session = pool.sessions[turn % SESSIONS].lock().await;
        if let Err(gone) = transaction(&mut client, &mut session, message).await {
            end_transaction(&mut session).await?;
            return Err(gone);
        }
    }
}

/// Passes messages on until the server says that no transaction is open.
async fn transaction(
    client: &mut Session,
    session: &mut Session,
    mut message: Message,
) -> std::io::Result<()> {
    loop {
        while !matches!(message.kind, b'Q' | b'S') {
            session.write_all(&message.bytes).await?;
            message = read_message(client).await?;
        }
        session.write_all(&message.bytes).await?;
        let mut status = 0;
        while status == 0 {
            let answer = read_message(session).await?;
            if answer.kind == b'Z' {
                status = answer.bytes[5];
            }
            client.write_all(&answer.bytes).await?;
        }
        if status == b'I' {
            return Ok(());
        }
        message = read_message(client).await?;
    }
}

/// The client went away in the middle: its locks must not stay.
async fn end_transaction(session: &mut Session) -> std::io::Result<()> {
    for message in [&b"S\0\0\0\x04"[..], b"Q\0\0\0\x0dROLLBACK\0"] {
        session.write_all(message).await?;
        while read_message(session).await?.kind != b'Z' {}
    }
    Ok(())
}
