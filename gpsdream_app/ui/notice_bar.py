"""A sentence in the panel, where it happened: what went wrong or is worth knowing, and the button that helps."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from gpsdream_app.ui.icons import icon_pixmap
from gpsdream_app.ui.session import Notice, Session, Tone
from gpsdream_app.ui.theme import Theme
from gpsdream_app.ui.tokens import SPACE_1, SPACE_2, SPACE_3
from gpsdream_app.ui.widgets import IconButton, TextButton, follow, label, set_look

REST_MILLISECONDS = 10_000  # after which a notice that is no error and no hint goes away


class NoticeBar(QFrame):
    """Shows the session's notice; hidden while there is none."""

    def __init__(self, theme: Theme, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self._theme, self._session = theme, session
        self._notice: Notice | None = None
        self._mark = QLabel(self)
        self._mark.setFixedSize(18, 18)
        self.sentence = label("", "strong", wrap=True, parent=self)
        self.hint = label("", "muted", wrap=True, parent=self)
        for text in (self.sentence, self.hint):
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.action = TextButton(theme, "", parent=self)
        self.action.clicked.connect(self._act)
        self.more = TextButton(theme, self.tr("Details"), look="plain", parent=self)
        self.more.setCheckable(True)
        self.more.toggled.connect(self._unfold)
        self.copy = TextButton(theme, self.tr("Copy"), "copy", look="plain", parent=self)
        self.copy.clicked.connect(self._copy)
        self.close_button = IconButton(theme, "close", self.tr("Dismiss"), size=16, parent=self)
        self.close_button.setFixedSize(24, 24)
        self.close_button.clicked.connect(session.dismiss)
        self.details = QPlainTextEdit(self)
        self.details.setReadOnly(True)
        self.details.setFixedHeight(120)
        self.details.setAccessibleName(self.tr("Details"))
        words = QVBoxLayout()
        words.setSpacing(SPACE_1)
        words.addWidget(self.sentence)
        words.addWidget(self.hint)
        words.addWidget(self.details)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_1)
        buttons.addWidget(self.action)
        buttons.addWidget(self.more)
        buttons.addWidget(self.copy)
        buttons.addStretch()
        words.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_3, SPACE_2 + 2, SPACE_2, SPACE_2 + 2)
        row.setSpacing(SPACE_2)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MILLISECONDS)
        self._rest.timeout.connect(self._fade_away)
        session.notice_changed.connect(self.show_notice)
        follow(theme, self._tint)
        self.show_notice(session.notice)

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice, or hide."""
        self._notice = notice
        self._rest.stop()
        if notice is None:
            self.hide()
            return
        if notice.tone is Tone.PLAIN:
            self._rest.start()
        set_look(self, "tone", notice.tone.value)
        self.sentence.setText(notice.text)
        self.hint.setText(notice.hint)
        self.hint.setVisible(bool(notice.hint))
        self.action.setText(notice.action.replace("&", "&&"))
        self.action.setAccessibleName(notice.action)
        self.action.setVisible(bool(notice.action))
        self.more.setChecked(False)
        self.more.setVisible(bool(notice.details))
        self.details.setPlainText(notice.details)
        self._unfold(False)
        self.setAccessibleName(notice.text)
        self.setAccessibleDescription(notice.hint)
        self._tint()
        self.show()
        spoken = f"{notice.text} {notice.hint}".strip()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, spoken))

    def _fade_away(self) -> None:
        """Leave after a while, but not from under somebody's hand."""
        focused = QApplication.focusWidget()
        if self.underMouse() or (focused is not None and self.isAncestorOf(focused)):
            self._rest.start()
        else:
            self._session.dismiss()

    def _act(self) -> None:
        notice = self._notice
        self._session.dismiss()
        if notice and notice.call:
            notice.call()

    def _unfold(self, unfolded: bool) -> None:
        self.details.setVisible(unfolded)
        self.copy.setVisible(unfolded)

    def _copy(self) -> None:
        if self._notice:
            QGuiApplication.clipboard().setText(self._notice.details)

    def _tint(self) -> None:
        tone = self._notice.tone if self._notice else Tone.PLAIN
        name, colour = {
            Tone.ERROR: ("warning", "danger"),
            Tone.HINT: ("info", "accent"),
            Tone.PLAIN: ("check", "text_muted"),
        }[tone]
        ink: str = getattr(self._theme.palette, colour)
        self._mark.setPixmap(icon_pixmap(name, ink, 18, self.devicePixelRatioF()))
