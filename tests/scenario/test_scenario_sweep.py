"""Sweeps, --set and --sweep: which cells a file means, in which order, with which values."""

import pytest

SWEEP = "sweep:\n  {form}:\n{axes}\nschemes:\n"


def sweep(form: str, **axes: str) -> tuple[str, str]:
    lines = "\n".join(f"    {path.replace('__', '.')}: {values}" for path, values in axes.items())
    return "schemes:\n", SWEEP.format(form=form, axes=lines)


def points(loaded, *names):
    return [tuple(cell.axes[name] for name in names) for cell in loaded.cells]


def test_without_a_sweep_there_is_one_cell(load):
    loaded = load()
    assert len(loaded.cells) == 1
    assert loaded.cells[0].axes == {} == loaded.axes
    assert loaded.scenario.sweep is None


def test_grid_is_a_product_with_the_last_axis_fastest(load):
    loaded = load(sweep("grid", system__snr_db="[0, 10]", system__num_users="[1, 2, 3]"))
    assert points(loaded, "snr_db", "num_users") == [(s, k) for s in (0, 10) for k in (1, 2, 3)]
    assert [cell.index for cell in loaded.cells] == list(range(6))
    assert all(cell.scenario.system.num_users == cell.axes["num_users"] for cell in loaded.cells)
    assert all(cell.scenario.sweep is None for cell in loaded.cells)
    assert loaded.scenario.sweep.grid == {"system.snr_db": [0, 10], "system.num_users": [1, 2, 3]}
    assert loaded.axes == {"snr_db": ("system", "snr_db"), "num_users": ("system", "num_users")}


def test_zip_goes_side_by_side(load):
    assert points(load(sweep("zip", system__snr_db="[0, 10]", system__num_users="[1, 2]")), "snr_db", "num_users") == [(0, 1), (10, 2)]


def test_one_at_a_time_visits_the_base_point_once(load):
    loaded = load(sweep("one_at_a_time", system__snr_db="[0, 10.0, 20]", system__num_users="[1, 2]"))
    assert points(loaded, "snr_db", "num_users") == [(10, 2), (0, 2), (20, 2), (10, 1)]


def test_the_base_value_of_a_default_counts_too(load):
    loaded = load(sweep("one_at_a_time", system__phase_bits="[2, null]", schemes__on__steps_per_frame="[3, 5]"))
    assert points(loaded, "phase_bits", "steps_per_frame") == [(None, 3), (2, 3), (None, 5)]


def test_schemes_are_addressed_by_name_or_number(load):
    loaded = load(sweep("grid", schemes__on__digital__iterations="[1, 2]", schemes__0__num_samples="[4, 8]"))
    assert [(c.scenario.schemes[1].digital.iterations, c.scenario.schemes[0].num_samples) for c in loaded.cells] == [
        (1, 4),
        (1, 8),
        (2, 4),
        (2, 8),
    ]
    assert loaded.axes["iterations"] == ("schemes", "on", "digital", "iterations")


def test_components_are_swept_by_their_kind(load):
    loaded = load(sweep("grid", schemes__off__estimator="[ls, rls]", full_csi="[genie, beam_sweep]"))
    assert points(loaded, "estimator", "full_csi") == [("ls", "genie"), ("ls", "beam_sweep"), ("rls", "genie"), ("rls", "beam_sweep")]
    assert loaded.cells[2].scenario.schemes[0].estimator.kind == "rls"


def test_a_swept_kind_drops_the_settings_of_the_old_one(load):
    loaded = load(sweep("grid", channel__kind="[mmwave_clusters, rayleigh]"))
    assert [cell.scenario.channel.kind for cell in loaded.cells] == ["mmwave_clusters", "rayleigh"]
    assert loaded.cells[0].scenario.channel.fading.correlation == 0.9


def test_a_field_of_a_bare_kind_can_be_set_and_swept(load):
    assert load(sets=["schemes.off.analog.steps=7"]).scenario.schemes[0].analog.steps == 7
    assert points(load(sweep("grid", schemes__off__analog__steps="[7, 8]")), "steps") == [(7,), (8,)]


def test_a_required_field_may_come_from_the_sweep_alone(load):
    assert points(load((", snr_db: 10", ""), sweep("grid", system__snr_db="[0, 10]")), "snr_db") == [(0,), (10,)]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (sweep("grid", system__snr_db="[]"), "12:5: sweep.grid.system.snr_db: should be a list of values"),
        (sweep("grid", system__snr_db="3"), "12:5: sweep.grid.system.snr_db: should be a list of values"),
        (sweep("grid", system__snr_db="[0, 0]"), "12:24: sweep.grid.system.snr_db.1: the value 0 is there twice"),
        (sweep("grid", system__snr_db="[[0]]"), "12:21: sweep.grid.system.snr_db.0: an axis takes single values"),
        (
            sweep("zip", system__snr_db="[0, 1]", system__num_rf="[4]"),
            "11:3: sweep.zip: zip takes lists of one length: system.snr_db has 2, ",
        ),
        (sweep("grid", schemes__x__memory="[4]"), "12:5: sweep.grid.schemes.x.memory: schemes has no entry 'x'; there is off, on, bound"),
        (sweep("grid", schemes__of__memory="[4]"), "12:5: sweep.grid.schemes.of.memory: schemes has no entry 'of' (did you mean 'off'?)"),
        (sweep("grid", system__="[4]"), "12:5: sweep.grid.system.: a path is words joined by dots"),
        (sweep("grid", name="[a]"), "12:5: sweep.grid.name: name cannot be swept"),
        (sweep("grid", schemes__on__name="[a]"), "12:5: sweep.grid.schemes.on.name: schemes.on.name cannot be swept"),
        (sweep("grid", plots__0__x="[a]"), "12:5: sweep.grid.plots.0.x: plots cannot be swept"),
        (sweep("grid", training_effort="[1, 2]"), "12:5: sweep.grid.training_effort: training_effort cannot be swept: it is one"),
        (("schemes:\n", "training_effort: 1.0e+30\nschemes:\n"), "10:1: training_effort: should be less than or equal to 1000"),
        (sweep("gird", system__snr_db="[1]"), "11:3: sweep.gird: unknown field (did you mean 'grid'?); allowed: grid, zip, one_at_a_time"),
        (sweep("grid", a__snr_db="[1]", system__snr_db="[1]"), "13:5: sweep.grid.system.snr_db: a.snr_db and system.snr_db would both be"),
        (sweep("grid", a__cell="[1]"), "12:5: sweep.grid.a.cell: an axis cannot be called cell"),
        (sweep("grid", system__num_users="[1, two]"), "12:27: system.num_users: should be a valid integer, got 'two'"),
        (sweep("grid", system__num_user="[1, 2]"), "12:5: system.num_user: unknown field (did you mean 'num_users'?)"),
        (sweep("one_at_a_time", system__num_user="[1, 2]"), "12:5: system.num_user: unknown field (did you mean 'num_users'?)"),
        (sweep("grid", num_users="[1, 2]"), "12:5: num_users: unknown field (did you mean 'system.num_users'?)"),
        (sweep("one_at_a_time", schemes="[null]"), "12:15: schemes: should be a list, got null"),
        (("schemes:\n", "sweep: 5\nschemes:\n"), "10:1: sweep: a sweep has exactly one of grid, zip, one_at_a_time; found none"),
        (
            ("schemes:\n", "sweep: {grid: {a: [1]}, zip: {b: [4]}}\nschemes:\n"),
            "10:1: sweep: a sweep has exactly one of grid, zip, one_at_a_time; found grid and zip",
        ),
        (("schemes:\n", "sweep: {grid: {}}\nschemes:\n"), "10:9: sweep.grid: should map dotted paths to lists"),
    ],
)
def test_what_is_wrong_with_a_sweep_has_its_place(edit, message, refusal):
    assert f"s.yaml:{message}" in refusal(edit)


def test_a_field_swept_twice_on_the_command_line_is_refused(refusal):
    message = refusal(sweeps=["system.snr_db=0,10", "system.snr_db=5"])
    assert message.splitlines() == [
        "--sweep system.snr_db: there is another --sweep of this field; write all its values in one, e.g. system.snr_db=1,2"
    ]


def test_a_swept_path_that_leads_nowhere_is_told_once(refusal):
    for form in ("grid", "one_at_a_time"):
        message = refusal(sweep(form, system__num_user="[1, 2, 3]", system__snr_db="[0, 10]"))
        (first, _) = message.splitlines()
        assert first.endswith("snr_definition, power_constraint, rate, phase_bits")  # and in which cells is no matter


def test_cells_and_replicas_are_limited_together(refusal):
    assert "replicas: 3 cells x 10000 replicas; a scenario has at most 20000" in refusal(
        sweep("grid", system__snr_db="[0, 1, 2]"), sets=["replicas=10000"]
    )


def test_values_of_a_broken_sweep_are_checked_all_the_same(refusal):
    message = refusal(sweep("grid", system__num_users="[1, two]", schemes__x__name="[a]"))
    assert "got 'two'" in message
    assert "no entry 'x'" in message


def test_a_rule_broken_in_one_cell_points_to_the_item(refusal):
    message = refusal(sweep("grid", system__num_streams="[1, 2, 3]", system__snr_db="[0, 10]"))
    assert message.splitlines()[0] == (
        "s.yaml:3:44: system.num_rx_rf: 2 RF chains cannot carry 3 streams per user (num_streams <= num_rx_rf) "
        "[at num_streams = 3, snr_db = 0 and 1 more cell]"
    )
    assert "s.yaml:12:24: system.num_rx_rf: 1 RF chains" in refusal(sweep("grid", system__num_rx_rf="[1, 2]"))


def test_too_many_cells_are_refused_before_they_are_made(refusal):
    many = "[" + ", ".join(map(str, range(1, 101))) + "]"
    message = refusal(sweep("grid", seed=many, drops=many, system__snr_db="[1, 2]", clock__superframes=many))
    assert "2000000 cells; a scenario has at most 20000" in message


def test_set_wins_over_the_file_and_its_sweep(load):
    axes = sweep("grid", system__snr_db="[0, 10]", system__num_users="[1, 2]")
    loaded = load(axes, sets=["system.snr_db=7", "ledger.bits_per_element=4", "channel.fading={kind: static}"])
    assert points(loaded, "num_users") == [(1,), (2,)]
    assert list(loaded.axes) == ["num_users"]
    assert {cell.scenario.system.snr_db for cell in loaded.cells} == {7}
    assert loaded.scenario.ledger.bits_per_element == 4
    assert loaded.scenario.channel.fading.kind == "static"
    assert load(axes, sets=["system.snr_db=7", "system.num_users=2"]).scenario.sweep is None


def test_set_values_follow_yaml(load):
    assert load(sets=["clock.slot_s=1e-3"]).scenario.clock.slot_s == 1e-3
    assert load(sets=["system.phase_bits="]).scenario.system.phase_bits is None
    assert load(sets=["description='28e9 = x'"]).scenario.description == "28e9 = x"


def test_sweep_options_take_the_place_of_the_files_sweep(load):
    loaded = load(sweep("zip", system__num_users="[1, 2]"), sweeps=["system.snr_db=0,1e1", "schemes.on.estimator=ls,rls"])
    assert points(loaded, "snr_db", "estimator") == [(0, "ls"), (0, "rls"), (10, "ls"), (10, "rls")]


@pytest.mark.parametrize(
    ("sets", "sweeps", "line"),
    [
        (["system.num_users=x"], [], "--set system.num_users: should be a valid integer, got 'x'"),
        (["system.num_user=3"], [], "--set system.num_user: unknown field (did you mean 'num_users'?); allowed: "),
        (["channel={kind: rayleigh, fadin: iid}"], [], "--set channel: channel.fadin: unknown field (did you mean 'fading'?)"),
        (["schemes.x.name=y"], [], "--set schemes.x.name: schemes has no entry 'x'; there is off, on, bound"),
        (["schemes.9.name=y"], [], "--set schemes.9.name: schemes has no entry '9'"),
        (["system..num_users=3"], [], "--set system..num_users: a path is words joined by dots"),
        (["system.num_users"], [], "--set system.num_users: write --set path=value"),
        (["=3"], [], "--set =3: write --set path=value"),
        (["extends=base.yaml"], [], "--set extends: only a file can extend another"),
        (["a={"], [], "--set a: not valid YAML"),
        (["system.num_rx_rf=1"], [], "--set system.num_rx_rf: 1 RF chains cannot carry 2 streams"),
        ([], ["system.num_users=1,x"], "--sweep system.num_users: should be a valid integer, got 'x'"),
        ([], ["system.num_users="], "--sweep system.num_users: sweep.grid.system.num_users: should be a list of values"),
        ([], ["system.num_users"], "--sweep system.num_users: write --sweep path=value, e.g. --sweep system.snr_db=0,10"),
        ([], ["system.snr_db=1", "feedback.snr_db=1"], "--sweep feedback.snr_db: sweep.grid.feedback.snr_db: system.snr_db and"),
    ],
)
def test_options_are_named_in_errors(sets, sweeps, line, refusal):
    assert refusal(sets=sets, sweeps=sweeps).startswith(line)
