fn main() {
    let a: Vec<String> = std::env::args().collect();
    wasm_bindgen_cli_support::Bindgen::new().input_path(&a[1]).web(true).unwrap().typescript(false).out_name("host_web").generate(&a[2]).unwrap();
}
