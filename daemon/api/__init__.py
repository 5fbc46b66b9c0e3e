"""The gRPC API: servicers that convert, call and convert back, behind one gate of access, rules, deadlines and errors."""
