//! Gives ws-session's sources the locks of this suite.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(ws_schedules)");
    println!("cargo::rustc-cfg=ws_schedules");
    println!("cargo::rerun-if-changed=build.rs");
}
