"""A clock that jumps forth and back under generator and comparator: touches are predicted and judged again."""

from listening import SimulatedTime, World
from test_fault_messages import judges_again
from touches import NS


def test_a_clock_that_jumps_forth_and_back_is_outlived(ros_domain):
    clock = SimulatedTime(ros_domain)
    world = World(ros_domain, clock=clock)
    try:
        for jump_s in (1000, -1050):
            clock.offset_ns += jump_s * NS
            judges_again(world)
        assert float(world.diagnostics.values["clock_jumps"]) >= 1
        assert world.comparator.is_running
        assert world.generator.is_running
    finally:
        world.stop()
