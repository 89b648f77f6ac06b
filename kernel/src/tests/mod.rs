//! Native tests on the fake machine.
