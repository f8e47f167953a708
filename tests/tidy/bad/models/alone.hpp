inline std::string needs_an_include() { return "none"; }
