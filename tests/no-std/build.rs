//! Links the C library, which std would have brought: it starts the program and has memcpy.

fn main() {
    println!("cargo::rustc-link-lib=c");
}
