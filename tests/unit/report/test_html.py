from bindgram.report.html import Markup, cell, element, escaped, folded, row, table


def test_text_is_escaped_and_markup_is_not():
    assert escaped("<b>&") == "&lt;b&gt;&amp;"
    assert element("p", "a<b", element("b", "c"), class_='x"y') == '<p class="x&quot;y">a&lt;b<b>c</b></p>'
    assert escaped(Markup("<b>")) == "<b>"


def test_rows_make_cells_of_plain_values_and_keep_cells():
    assert row(["a<", cell("1.0", value="1.000000", number=True)]) == (
        '<tr><td>a&lt;</td><td class="n" data-v="1.000000">1.0</td></tr>'
    )


def test_text_that_looks_like_a_cell_is_escaped():
    assert row(["<td>"]) == "<tr><td>&lt;td&gt;</td></tr>"


def test_zero_is_a_sort_key():
    assert 'data-v="0"' in cell("none", value=0)


def test_headings_of_sortable_tables_are_buttons():
    assert '<th class="n" scope="col"><button type="button">x</button></th>' in table(["x"], [], [0], sortable=True)
    assert '<th scope="col">x</th>' in table(["x"], [], sortable=False)


def test_folded_content_is_open_only_where_it_is_said():
    assert folded("a<", "b") == "<details><summary>a&lt;</summary>b</details>"
    assert folded("a", opened=True).startswith('<details open="open">')
