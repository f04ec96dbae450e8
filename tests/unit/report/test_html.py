from bindgram.report.html import Markup, cell, element, escaped, page, row, table


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


def test_page_stands_alone_and_provenance_cannot_end_its_script(visible):
    body = [table(["<h>"], [row(["x"])], sortable=True)]
    text = page("A & B", body, {"reason": "</script><script>alert(1)</script>"})
    assert visible(text) == "A &amp; B A &amp; B &lt;h&gt; x"
    assert "<title>A &amp; B</title>" in text
    assert text.count("</script>") == 2
    assert "http" not in text
    assert "&lt;h&gt;" in text
