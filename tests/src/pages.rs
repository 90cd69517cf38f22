//! The programs in the repository's README and in `docs` compile: each page is the documentation of an item here, so that
//! `cargo test` builds all of them together.

macro_rules! pages {
    ($($page:ident $path:literal)+) => {
        $(
            #[doc = concat!("The page `", $path, "`.")]
            #[doc = ""]
            #[doc = include_str!(concat!("../../", $path))]
            struct $page;
        )+
    };
}

pages! {
    Readme "README.md"
    ReadmeInChinese "README.zh-CN.md"
    Authentication "docs/auth.md"
    Backpressure "docs/backpressure.md"
    Broadcast "docs/broadcast.md"
    Browser "docs/browser.md"
    ByteStreams "docs/bytes.md"
    Clients "docs/clients.md"
    Cores "docs/cores.md"
    Debugging "docs/debugging.md"
    Deployment "docs/deployment.md"
    Examples "docs/examples.md"
    Faq "docs/faq.md"
    FirstSteps "docs/first-steps.md"
    FirstStepsInChinese "docs/first-steps.zh-CN.md"
    FromPythonWebsockets "docs/from-python-websockets.md"
    FromTokioTungstenite "docs/from-tokio-tungstenite.md"
    Http2 "docs/http2.md"
    TheHub "docs/hub.md"
    TheHubInABrowser "docs/hub-browser.md"
    TheHubProtocol "docs/hub-protocol.md"
    Index "docs/README.md"
    Interop "docs/interop.md"
    Keepalive "docs/keepalive.md"
    Limits "docs/limits.md"
    Metrics "docs/metrics.md"
    Origins "docs/origins.md"
    Peers "docs/peers.md"
    Proxies "docs/proxies.md"
    Streaming "docs/streaming.md"
    Testing "docs/testing.md"
    Tls "docs/tls.md"
    TwoInstances "docs/two-instances.md"
    WithAxum "docs/axum.md"
    WithHyper "docs/hyper.md"
}
