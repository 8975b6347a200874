from doc_blocks import module_of


def test_blocks_keep_their_lines_and_illustrations_are_left_out():
    text = "A\n\n```python\nx = 1\n```\n\n<!-- illustration -->\n\n```python\ny = ...\n```\n\n```sh\nz\n```\n```python\nw = x\n```\n"
    lines = module_of(text).splitlines()
    assert {number: line for number, line in enumerate(lines, 1) if line} == {4: "x = 1", 17: "w = x"}
