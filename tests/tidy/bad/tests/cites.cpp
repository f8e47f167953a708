// S1.1, S1.4 and S1.5 exist.
// S2.1 does not.
TEST(Cited, One) {}
