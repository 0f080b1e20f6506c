<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>NovaDesk</name>
    <message>
        <source>&amp;Model</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Mode&amp;ll</translation>
    </message>
    <message>
        <source>&amp;Region</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>&amp;Region</translation>
    </message>
    <message>
        <source>&amp;Scenarios…</source>
        <extracomment>ui/scenario_desk.py</extracomment>
        <translation>&amp;Szenarien…</translation>
    </message>
    <message>
        <source>&amp;Speaker</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Lautspre&amp;cher</translation>
    </message>
    <message>
        <source>&amp;Voice</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>Stimm&amp;e</translation>
    </message>
    <message numerus="yes">
        <source>1 new turn came in.</source>
        <comment>{n} new turns came in.</comment>
        <extracomment>ui/sync_row.py</extracomment>
        <translation>
            <numerusform>1 neuer Beitrag ist da.</numerusform>
            <numerusform>{n} neue Beiträge sind da.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 press</source>
        <comment>{n} presses</comment>
        <extracomment>ui/key_test.py</extracomment>
        <translation>
            <numerusform>1-mal gedrückt</numerusform>
            <numerusform>{n}-mal gedrückt</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 release</source>
        <comment>{n} releases</comment>
        <extracomment>ui/key_test.py</extracomment>
        <translation>
            <numerusform>1-mal losgelassen</numerusform>
            <numerusform>{n}-mal losgelassen</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 turn</source>
        <comment>{n} turns</comment>
        <extracomment>ui/details_view.py ui/history_model.py</extracomment>
        <translation>
            <numerusform>1 Beitrag</numerusform>
            <numerusform>{n} Beiträge</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 turn not saved yet</source>
        <comment>{n} turns not saved yet</comment>
        <extracomment>ui/words.py</extracomment>
        <translation>
            <numerusform>1 Beitrag noch nicht gespeichert</numerusform>
            <numerusform>{n} Beiträge noch nicht gespeichert</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 turn waiting to sync</source>
        <comment>{n} turns waiting to sync</comment>
        <extracomment>ui/words.py</extracomment>
        <translation>
            <numerusform>1 Beitrag noch nicht abgeglichen</numerusform>
            <numerusform>{n} Beiträge noch nicht abgeglichen</numerusform>
        </translation>
    </message>
    <message>
        <source>1. In NovaDesk&apos;s window: the talk key, or Space outside a text field.</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>1. Im Fenster von NovaDesk: die Sprechtaste, oder außerhalb von Textfeldern die Leertaste.</translation>
    </message>
    <message>
        <source>2. The talk button, held or pressed with the mouse.</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>2. Der Sprechknopf, mit der Maus gehalten oder gedrückt.</translation>
    </message>
    <message>
        <source>3. A key of the desktop&apos;s own settings that runs a command:</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>3. Eine Taste, für die in den Einstellungen des Systems ein Befehl hinterlegt ist:</translation>
    </message>
    <message>
        <source>A press of a talk key</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Ein Druck auf eine Sprechtaste</translation>
    </message>
    <message>
        <source>A quota of the remote session store is used up.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Ein Kontingent des entfernten Sitzungsspeichers ist aufgebraucht.</translation>
    </message>
    <message>
        <source>A rule of the account forbids {names}. Ask whoever manages it to take that out.</source>
        <extracomment>permission.py</extracomment>
        <translation>Eine Regel des Kontos verbietet {names}. Wer das Konto verwaltet, kann sie entfernen.</translation>
    </message>
    <message>
        <source>AWS &amp;profile</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>AWS-&amp;Profil</translation>
    </message>
    <message>
        <source>AWS cannot be reached to renew the keys.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>AWS ist nicht erreichbar, um die Schlüssel zu erneuern.</translation>
    </message>
    <message>
        <source>AWS does not let this profile take on its role.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>AWS lässt dieses Profil seine Rolle nicht annehmen.</translation>
    </message>
    <message>
        <source>AWS refuses these keys.</source>
        <extracomment>transport/failures.py</extracomment>
        <translation>AWS weist diese Schlüssel zurück.</translation>
    </message>
    <message>
        <source>About NovaDesk</source>
        <extracomment>ui/about_dialog.py</extracomment>
        <translation>Über NovaDesk</translation>
    </message>
    <message>
        <source>Add a mute key…</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Stummtaste hinzufügen …</translation>
    </message>
    <message>
        <source>Add a talk key…</source>
        <extracomment>ui/setting_table.py ui/wizard_talk.py</extracomment>
        <translation>Sprechtaste hinzufügen …</translation>
    </message>
    <message>
        <source>Alert: {bound} · {measured}</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Warnung: {bound} · {measured}</translation>
    </message>
    <message>
        <source>All waiting</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Noch wartend</translation>
    </message>
    <message>
        <source>Allow it in the system&apos;s settings, then try again.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>In den Systemeinstellungen erlauben, dann noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Alt</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Alt</translation>
    </message>
    <message>
        <source>AltGr</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>AltGr</translation>
    </message>
    <message>
        <source>Amazon Bedrock</source>
        <extracomment>conversation/view.py ui/filter_bar.py ui/setting_table.py ui/wizard_access.py</extracomment>
        <translation>Amazon Bedrock</translation>
    </message>
    <message>
        <source>Another NovaDesk answers on the control socket.</source>
        <extracomment>desktop/instance.py</extracomment>
        <translation>Am Steuerkanal antwortet ein anderes NovaDesk.</translation>
    </message>
    <message>
        <source>Answer messages in writing only</source>
        <extracomment>ui/composer.py</extracomment>
        <translation>Nachrichten nur schriftlich beantworten</translation>
    </message>
    <message>
        <source>Answers</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Antworten</translation>
    </message>
    <message>
        <source>Answers are silent</source>
        <extracomment>ui/volume.py</extracomment>
        <translation>Antworten sind stumm</translation>
    </message>
    <message>
        <source>Answers {fast}</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Antwortet {fast}</translation>
    </message>
    <message>
        <source>As it comes</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>Wie es kommt</translation>
    </message>
    <message>
        <source>Ask whoever manages the account for the permission sts:AssumeRole.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Wer das Konto verwaltet, kann das Recht sts:AssumeRole geben.</translation>
    </message>
    <message>
        <source>Ask whoever manages the account for the permission {names}.</source>
        <extracomment>permission.py</extracomment>
        <translation>Wer das Konto verwaltet, kann das Recht {names} geben.</translation>
    </message>
    <message>
        <source>Backend</source>
        <extracomment>ui/details_view.py ui/filter_bar.py</extracomment>
        <translation>Dienst</translation>
    </message>
    <message>
        <source>Backspace</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Rücktaste</translation>
    </message>
    <message>
        <source>Brisk</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>Zügig</translation>
    </message>
    <message>
        <source>Cancel</source>
        <extracomment>ui/correct_dialog.py ui/error_bar.py ui/export_dialog.py ui/settings_transfer.py ui/sync_row.py</extracomment>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Cancel reading from the cloud</source>
        <extracomment>ui/sync_row.py</extracomment>
        <translation>Lesen aus der Cloud abbrechen</translation>
    </message>
    <message>
        <source>Caps Lock</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Feststelltaste</translation>
    </message>
    <message>
        <source>Carried over</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Übernommen</translation>
    </message>
    <message>
        <source>Check AWS_PROFILE and the keys of that profile.</source>
        <extracomment>transport/failures.py</extracomment>
        <translation>AWS_PROFILE und die Schlüssel dieses Profils prüfen.</translation>
    </message>
    <message>
        <source>Check HTTPS_PROXY, or add the address to NO_PROXY to go directly.</source>
        <extracomment>transport/proxy.py transport/webway.py</extracomment>
        <translation>HTTPS_PROXY prüfen oder die Adresse in NO_PROXY eintragen, um direkt zu verbinden.</translation>
    </message>
    <message>
        <source>Check HTTPS_PROXY.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>HTTPS_PROXY prüfen.</translation>
    </message>
    <message>
        <source>Check the address, and whether a proxy or firewall stands in between.</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>Die Adresse prüfen, und ob ein Proxy oder eine Firewall dazwischensteht.</translation>
    </message>
    <message>
        <source>Check the address; a proxy that inspects traffic must let HTTP/2 through.</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>Die Adresse prüfen; ein Proxy, der mitliest, muss HTTP/2 durchlassen.</translation>
    </message>
    <message>
        <source>Check the endpoint, model and region in the settings.</source>
        <extracomment>transport/failures.py</extracomment>
        <translation>Endpunkt, Modell und Region in den Einstellungen prüfen.</translation>
    </message>
    <message>
        <source>Check the network, or the program that your profile gets its keys from.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Das Netz prüfen oder das Programm, von dem das Profil seine Schlüssel bekommt.</translation>
    </message>
    <message>
        <source>Check the network; NovaDesk tries again by itself.</source>
        <extracomment>transport/credentials.py transport/dial.py transport/webway.py</extracomment>
        <translation>Das Netz prüfen; NovaDesk versucht es von selbst wieder.</translation>
    </message>
    <message>
        <source>Choose a faster disk.</source>
        <extracomment>app/export_many.py</extracomment>
        <translation>Einen schnelleren Datenträger wählen.</translation>
    </message>
    <message>
        <source>Choose another device in Settings, or connect this one again.</source>
        <extracomment>audio/client.py</extracomment>
        <translation>In den Einstellungen ein anderes Gerät wählen oder dieses wieder anschließen.</translation>
    </message>
    <message>
        <source>Choose another key for one of them.</source>
        <extracomment>chord.py</extracomment>
        <translation>Für eines davon eine andere Taste wählen.</translation>
    </message>
    <message>
        <source>Choose another one.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Eine andere wählen.</translation>
    </message>
    <message>
        <source>Choose another push-to-talk key, such as f9.</source>
        <extracomment>desktop/hotkeys/pynput_listener.py</extracomment>
        <translation>Eine andere Sprechtaste wählen, etwa f9.</translation>
    </message>
    <message>
        <source>Choose others.</source>
        <extracomment>app/export_many.py</extracomment>
        <translation>Andere wählen.</translation>
    </message>
    <message>
        <source>Choose “Unlock keyring” to make one, or create a default keyring in the desktop&apos;s password program.</source>
        <extracomment>desktop/keychain.py</extracomment>
        <translation>Mit „Schlüsselbund entsperren“ einen anlegen, oder im Passwortprogramm des Systems einen Standard-Schlüsselbund anlegen.</translation>
    </message>
    <message>
        <source>Close details</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Details schließen</translation>
    </message>
    <message>
        <source>Close other programs and try again.</source>
        <extracomment>transport/bedrock.py transport/gateway.py</extracomment>
        <translation>Andere Programme schließen und noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Close other programs that use it, or choose another device in Settings.</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>Andere Programme schließen, die es benutzen, oder in den Einstellungen ein anderes Gerät wählen.</translation>
    </message>
    <message>
        <source>Close the other program that has the file open; NovaDesk tries again.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Das andere Programm schließen, das die Datei offen hält; NovaDesk versucht es wieder.</translation>
    </message>
    <message>
        <source>Close this advice</source>
        <extracomment>ui/sound_note.py</extracomment>
        <translation>Hinweis schließen</translation>
    </message>
    <message>
        <source>Command</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Command</translation>
    </message>
    <message>
        <source>Connect again.</source>
        <extracomment>transport/bedrock.py transport/gateway.py transport/http2.py</extracomment>
        <translation>Neu verbinden.</translation>
    </message>
    <message>
        <source>Connecting</source>
        <extracomment>conversation/eventlog.py ui/states.py</extracomment>
        <translation>Verbindet</translation>
    </message>
    <message>
        <source>Connecting… type meanwhile</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Verbindet … schreiben geht schon</translation>
    </message>
    <message>
        <source>Conversation</source>
        <extracomment>ui/details_view.py ui/event_log.py ui/id_rows.py ui/setting_rows.py ui/turn_list.py</extracomment>
        <translation>Gespräch</translation>
    </message>
    <message>
        <source>Conversations</source>
        <extracomment>ui/history_list.py</extracomment>
        <translation>Gespräche</translation>
    </message>
    <message>
        <source>Copy</source>
        <extracomment>ui/event_log.py ui/turn_actions.py</extracomment>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Copy command</source>
        <extracomment>catalogue.py ui/key_standing.py</extracomment>
        <translation>Befehl kopieren</translation>
    </message>
    <message>
        <source>Copy command {command}</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>Befehl {command} kopieren</translation>
    </message>
    <message>
        <source>Copy details of the error</source>
        <extracomment>ui/error_details.py</extracomment>
        <translation>Einzelheiten des Fehlers kopieren</translation>
    </message>
    <message>
        <source>Copy report</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Bericht kopieren</translation>
    </message>
    <message>
        <source>Ctrl</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Strg</translation>
    </message>
    <message>
        <source>Delete</source>
        <extracomment>ui/history_list.py</extracomment>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>Details</source>
        <extracomment>ui/details_view.py ui/header.py ui/main_window.py</extracomment>
        <translation>Details</translation>
    </message>
    <message>
        <source>Diagnostics</source>
        <extracomment>ui/diagnostics_view.py ui/main_window.py ui/setting_rows.py</extracomment>
        <translation>Diagnose</translation>
    </message>
    <message>
        <source>Diagnostics…</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Diagnose …</translation>
    </message>
    <message>
        <source>Down arrow</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Pfeil nach unten</translation>
    </message>
    <message>
        <source>End</source>
        <extracomment>ui/header.py</extracomment>
        <translation>Beenden</translation>
    </message>
    <message>
        <source>End it, and start `novadesk`.</source>
        <extracomment>app/control.py</extracomment>
        <translation>Beenden und `novadesk` starten.</translation>
    </message>
    <message>
        <source>End the conversation</source>
        <extracomment>ui/header.py ui/main_window.py ui/tray.py</extracomment>
        <translation>Gespräch beenden</translation>
    </message>
    <message>
        <source>Ended</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Beendet</translation>
    </message>
    <message>
        <source>Enter</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Eingabetaste</translation>
    </message>
    <message>
        <source>Esc</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Esc</translation>
    </message>
    <message>
        <source>Free some space, or make the state folder writable for you.</source>
        <extracomment>app/diagnosis.py</extracomment>
        <translation>Platz schaffen oder den Zustandsordner beschreibbar machen.</translation>
    </message>
    <message>
        <source>Free some space; NovaDesk tries again.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Platz schaffen; NovaDesk versucht es wieder.</translation>
    </message>
    <message>
        <source>Gateway</source>
        <extracomment>conversation/view.py ui/filter_bar.py ui/setting_table.py ui/wizard_access.py</extracomment>
        <translation>Gateway</translation>
    </message>
    <message>
        <source>Give a name such as f9, right_ctrl, mouse_back or ctrl+space.</source>
        <extracomment>chord.py</extracomment>
        <translation>Einen Namen angeben wie f9, right_ctrl, mouse_back oder ctrl+space.</translation>
    </message>
    <message>
        <source>Give another button, such as mouse_back, mouse_forward or mouse_middle.</source>
        <extracomment>chord.py</extracomment>
        <translation>Eine andere Maustaste angeben, etwa mouse_back, mouse_forward oder mouse_middle.</translation>
    </message>
    <message>
        <source>Give yours another name, or use --force to take its place.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Dem eigenen einen anderen Namen geben oder mit --force ersetzen.</translation>
    </message>
    <message>
        <source>Go on, or type {here}</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Weitersprechen oder {here} schreiben</translation>
    </message>
    <message>
        <source>Go to the latest turn</source>
        <extracomment>ui/conversation_view.py</extracomment>
        <translation>Zum neuesten Beitrag</translation>
    </message>
    <message>
        <source>Hands-free</source>
        <extracomment>ui/session_panel.py ui/setting_table.py ui/wizard_talk.py</extracomment>
        <translation>Freisprechen</translation>
    </message>
    <message>
        <source>Hardly to be heard. Move closer, or raise the microphone&apos;s level in the system.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Kaum zu hören. Näher herangehen oder den Pegel des Mikrofons im System erhöhen.</translation>
    </message>
    <message>
        <source>Headset</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Headset</translation>
    </message>
    <message>
        <source>Hold</source>
        <extracomment>ui/session_panel.py</extracomment>
        <translation>Halten</translation>
    </message>
    <message>
        <source>Hold a conversation first.</source>
        <extracomment>app/history.py app/upkeep.py</extracomment>
        <translation>Zuerst ein Gespräch führen.</translation>
    </message>
    <message>
        <source>Hold to talk</source>
        <extracomment>ui/session_panel.py ui/setting_table.py</extracomment>
        <translation>Zum Sprechen halten</translation>
    </message>
    <message>
        <source>Hold {key}</source>
        <extracomment>ui/session_panel.py</extracomment>
        <translation>{key} halten</translation>
    </message>
    <message>
        <source>Hold {key}</source>
        <comment>to interrupt</comment>
        <extracomment>ui/states.py</extracomment>
        <translation>{key} halten</translation>
    </message>
    <message>
        <source>Hold {key} to talk</source>
        <extracomment>ui/states.py</extracomment>
        <translation>{key} halten zum Sprechen</translation>
    </message>
    <message>
        <source>Hold, or press twice to lock</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Halten, oder zum Einrasten zweimal drücken</translation>
    </message>
    <message>
        <source>Home</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Pos1</translation>
    </message>
    <message>
        <source>I hear NovaDesk with: {name}</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Ich höre NovaDesk über: {name}</translation>
    </message>
    <message>
        <source>Idle</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Wartet</translation>
    </message>
    <message>
        <source>If your network inspects traffic, set AWS_CA_BUNDLE to its certificate; otherwise check the clock.</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>Liest das Netz mit, AWS_CA_BUNDLE auf dessen Zertifikat setzen; sonst die Uhr prüfen.</translation>
    </message>
    <message>
        <source>In force: {parts}</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>In Kraft: {parts}</translation>
    </message>
    <message>
        <source>Install PortAudio (on Debian: libportaudio2) and start NovaDesk again.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>PortAudio installieren (unter Debian: libportaudio2) und NovaDesk neu starten.</translation>
    </message>
    <message>
        <source>Interrupted</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Unterbrochen</translation>
    </message>
    <message>
        <source>It connects again by itself.</source>
        <extracomment>transport/bedrock.py transport/gateway.py</extracomment>
        <translation>Die Verbindung kommt von selbst wieder.</translation>
    </message>
    <message>
        <source>It may have been deleted.</source>
        <extracomment>store/conversations.py</extracomment>
        <translation>Vielleicht wurde es gelöscht.</translation>
    </message>
    <message>
        <source>It tries again.</source>
        <extracomment>conversation/wire.py</extracomment>
        <translation>Es versucht es wieder.</translation>
    </message>
    <message>
        <source>Just speak</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Einfach sprechen</translation>
    </message>
    <message>
        <source>Keep</source>
        <extracomment>ui/clear_dialog.py</extracomment>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>Label</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Kurzname</translation>
    </message>
    <message>
        <source>Last 24 hours</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Letzte 24 Stunden</translation>
    </message>
    <message>
        <source>Latest</source>
        <extracomment>ui/conversation_view.py</extracomment>
        <translation>Neueste</translation>
    </message>
    <message>
        <source>Left arrow</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Pfeil nach links</translation>
    </message>
    <message>
        <source>Left {key}</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>{key} links</translation>
    </message>
    <message>
        <source>Let go to send</source>
        <extracomment>ui/session_panel.py</extracomment>
        <translation>Loslassen zum Senden</translation>
    </message>
    <message>
        <source>Listening</source>
        <extracomment>ui/session_panel.py ui/states.py</extracomment>
        <translation>Hört zu</translation>
    </message>
    <message>
        <source>Listening… or type {here}</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Hört zu … oder {here} schreiben</translation>
    </message>
    <message>
        <source>Long (2 s)</source>
        <extracomment>ui/scenario_pickers.py ui/setting_table.py</extracomment>
        <translation>Lang (2 s)</translation>
    </message>
    <message>
        <source>Look after the disk and the permissions of its folder; NovaDesk tries again.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Den Datenträger und die Rechte des Ordners prüfen; NovaDesk versucht es wieder.</translation>
    </message>
    <message>
        <source>Look for a window that asks for the keyring&apos;s password.</source>
        <extracomment>desktop/keychain.py</extracomment>
        <translation>Nach einem Fenster sehen, das nach dem Passwort des Schlüsselbunds fragt.</translation>
    </message>
    <message>
        <source>Look into its log file.</source>
        <extracomment>desktop/instance.py</extracomment>
        <translation>In seine Protokolldatei sehen.</translation>
    </message>
    <message>
        <source>Looking something up</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Sieht etwas nach</translation>
    </message>
    <message>
        <source>Looking…</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Sucht …</translation>
    </message>
    <message>
        <source>Louder</source>
        <extracomment>ui/main_window.py</extracomment>
        <translation>Lauter</translation>
    </message>
    <message>
        <source>Make answers heard</source>
        <extracomment>ui/volume.py</extracomment>
        <translation>Antworten hörbar machen</translation>
    </message>
    <message>
        <source>Make it usable for you.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Zugänglich machen.</translation>
    </message>
    <message>
        <source>Make sure that this NovaDesk and the running one are one version.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>Dieses NovaDesk und das laufende müssen dieselbe Version haben.</translation>
    </message>
    <message>
        <source>Make the folder writable for you, or free some space, and start again.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Den Ordner beschreibbar machen oder Platz schaffen und neu starten.</translation>
    </message>
    <message>
        <source>Making the report…</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Der Bericht entsteht …</translation>
    </message>
    <message>
        <source>Many desktops open their menu with this key.</source>
        <extracomment>chord.py</extracomment>
        <translation>Viele Systeme öffnen mit dieser Taste ihr Menü.</translation>
    </message>
    <message>
        <source>Medium (1.75 s)</source>
        <extracomment>ui/scenario_pickers.py ui/setting_table.py</extracomment>
        <translation>Mittel (1,75 s)</translation>
    </message>
    <message>
        <source>Mend it, or begin with a built-in one.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Berichtigen oder mit einem mitgelieferten beginnen.</translation>
    </message>
    <message>
        <source>Mend that line, or move the file away to start afresh.</source>
        <extracomment>config.py</extracomment>
        <translation>Diese Zeile berichtigen oder die Datei wegräumen, um neu anzufangen.</translation>
    </message>
    <message>
        <source>Menu</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Menütaste</translation>
    </message>
    <message>
        <source>Message</source>
        <extracomment>ui/composer.py ui/wizard_talk.py</extracomment>
        <translation>Nachricht</translation>
    </message>
    <message>
        <source>Microphone</source>
        <extracomment>ui/details_view.py ui/pipeline.py ui/setting_table.py</extracomment>
        <translation>Mikrofon</translation>
    </message>
    <message>
        <source>Microphone level</source>
        <extracomment>ui/level_meter.py</extracomment>
        <translation>Mikrofonpegel</translation>
    </message>
    <message>
        <source>Middle mouse button</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Mittlere Maustaste</translation>
    </message>
    <message>
        <source>Model</source>
        <extracomment>ui/details_view.py ui/setting_table.py</extracomment>
        <translation>Modell</translation>
    </message>
    <message>
        <source>More ways to begin</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Anders beginnen</translation>
    </message>
    <message>
        <source>Mouse back button</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Maustaste „Zurück“</translation>
    </message>
    <message>
        <source>Mouse button {number}</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Maustaste {number}</translation>
    </message>
    <message>
        <source>Mouse forward button</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Maustaste „Vorwärts“</translation>
    </message>
    <message>
        <source>Mute</source>
        <extracomment>ui/main_window.py ui/mini_strip.py ui/session_panel.py</extracomment>
        <translation>Stumm</translation>
    </message>
    <message>
        <source>Mute keys</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Stummtasten</translation>
    </message>
    <message>
        <source>Muted</source>
        <extracomment>ui/session_panel.py ui/states.py</extracomment>
        <translation>Stumm</translation>
    </message>
    <message>
        <source>Muted: nobody hears you</source>
        <extracomment>ui/session_panel.py</extracomment>
        <translation>Stumm: Niemand hört Sie</translation>
    </message>
    <message>
        <source>Name a file on a faster disk.</source>
        <extracomment>store/database.py</extracomment>
        <translation>Eine Datei auf einem schnelleren Datenträger angeben.</translation>
    </message>
    <message>
        <source>Name another file.</source>
        <extracomment>store/copies.py</extracomment>
        <translation>Eine andere Datei angeben.</translation>
    </message>
    <message>
        <source>Name another one.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Eine andere angeben.</translation>
    </message>
    <message>
        <source>New</source>
        <extracomment>ui/history_view.py ui/scenario_dialog.py</extracomment>
        <translation>Neu</translation>
    </message>
    <message>
        <source>New conversation</source>
        <extracomment>catalogue.py ui/header.py ui/history_view.py ui/main_window.py</extracomment>
        <translation>Neues Gespräch</translation>
    </message>
    <message>
        <source>New private conversation</source>
        <extracomment>ui/history_view.py ui/main_window.py</extracomment>
        <translation>Neues privates Gespräch</translation>
    </message>
    <message>
        <source>Next pane</source>
        <extracomment>ui/main_window.py</extracomment>
        <translation>Nächster Bereich</translation>
    </message>
    <message>
        <source>No key talks in other programs&apos; windows.</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>In Fenstern anderer Programme wirkt keine Sprechtaste.</translation>
    </message>
    <message>
        <source>No microphone</source>
        <extracomment>ui/session_panel.py ui/states.py</extracomment>
        <translation>Kein Mikrofon</translation>
    </message>
    <message>
        <source>No microphone. Type {here}</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Kein Mikrofon. {here} schreiben</translation>
    </message>
    <message>
        <source>No model id is set.</source>
        <extracomment>config.py transport/bedrock.py</extracomment>
        <translation>Es ist kein Modell angegeben.</translation>
    </message>
    <message>
        <source>No push-to-talk key is set.</source>
        <extracomment>desktop/hotkeys/base.py</extracomment>
        <translation>Es ist keine Sprechtaste festgelegt.</translation>
    </message>
    <message>
        <source>None but Space, in NovaDesk&apos;s window.</source>
        <extracomment>ui/setting_table.py ui/wizard_talk.py</extracomment>
        <translation>Keine außer der Leertaste, im Fenster von NovaDesk.</translation>
    </message>
    <message>
        <source>None.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Keine.</translation>
    </message>
    <message>
        <source>Not listening while it speaks</source>
        <extracomment>ui/session_panel.py</extracomment>
        <translation>Hört beim Sprechen nicht zu</translation>
    </message>
    <message>
        <source>Not saved yet</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Nicht gespeichert</translation>
    </message>
    <message>
        <source>Nothing found</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Nichts gefunden</translation>
    </message>
    <message>
        <source>Nothing has passed yet.</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Noch ist nichts gelaufen.</translation>
    </message>
    <message>
        <source>Nothing has to be held.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nichts muss gehalten werden.</translation>
    </message>
    <message>
        <source>Nothing of this conversation is written or synced. It is gone when you leave it.</source>
        <extracomment>ui/header.py</extracomment>
        <translation>Nichts aus diesem Gespräch wird gespeichert oder abgeglichen. Es ist weg, sobald Sie es verlassen.</translation>
    </message>
    <message>
        <source>Nothing said yet</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Noch nichts gesagt</translation>
    </message>
    <message>
        <source>Nothing that is said here is saved or synced. It is gone when you leave it.</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Was hier gesagt wird, wird nicht gespeichert und nicht abgeglichen. Es ist weg, sobald Sie das Gespräch verlassen.</translation>
    </message>
    <message>
        <source>Nothing to do: NovaDesk tries again by itself, and the conversation is safe on this computer.</source>
        <extracomment>store/delivery.py</extracomment>
        <translation>Nichts zu tun: NovaDesk versucht es von selbst wieder, und das Gespräch ist auf diesem Computer sicher.</translation>
    </message>
    <message>
        <source>NovaDesk connects again by itself.</source>
        <extracomment>transport/bedrock.py transport/gateway.py transport/http2.py</extracomment>
        <translation>NovaDesk verbindet von selbst wieder.</translation>
    </message>
    <message>
        <source>NovaDesk does not know that request.</source>
        <extracomment>app/control.py</extracomment>
        <translation>NovaDesk kennt diese Anfrage nicht.</translation>
    </message>
    <message>
        <source>NovaDesk does not listen while it speaks</source>
        <extracomment>ui/sound_note.py</extracomment>
        <translation>NovaDesk hört nicht zu, während es spricht</translation>
    </message>
    <message>
        <source>NovaDesk does not listen while it speaks; to stop it, use Stop or the talk key.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>NovaDesk hört nicht zu, während es spricht. Anhalten mit Stopp oder der Sprechtaste.</translation>
    </message>
    <message>
        <source>NovaDesk failed over this request.</source>
        <extracomment>desktop/instance.py</extracomment>
        <translation>NovaDesk ist an dieser Anfrage gescheitert.</translation>
    </message>
    <message>
        <source>NovaDesk heard no key at all.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>NovaDesk hat gar keine Taste gehört.</translation>
    </message>
    <message>
        <source>NovaDesk hears the keyboard, but not this key: another program may have taken it.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>NovaDesk hört die Tastatur, aber nicht diese Taste: Vielleicht hat ein anderes Programm sie belegt.</translation>
    </message>
    <message>
        <source>NovaDesk hears when the key goes down, but not each time when it comes up.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>NovaDesk hört, wenn die Taste gedrückt wird, aber nicht jedes Mal, wenn sie losgelassen wird.</translation>
    </message>
    <message>
        <source>NovaDesk is closing.</source>
        <extracomment>ui/bridge.py</extracomment>
        <translation>NovaDesk wird beendet.</translation>
    </message>
    <message>
        <source>NovaDesk is not running.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>NovaDesk läuft nicht.</translation>
    </message>
    <message>
        <source>NovaDesk lost the connection by its own fault.</source>
        <extracomment>conversation/wire.py transport/bedrock.py transport/gateway.py</extracomment>
        <translation>NovaDesk hat die Verbindung durch eigenen Fehler verloren.</translation>
    </message>
    <message>
        <source>NovaDesk opens the next one.</source>
        <extracomment>conversation/wire.py transport/bedrock.py</extracomment>
        <translation>NovaDesk öffnet die nächste.</translation>
    </message>
    <message>
        <source>NovaDesk starts it again by itself; if that does not help, start NovaDesk again.</source>
        <extracomment>audio/child.py</extracomment>
        <translation>NovaDesk startet ihn von selbst wieder; hilft das nicht, NovaDesk neu starten.</translation>
    </message>
    <message>
        <source>NovaDesk took too long over this request.</source>
        <extracomment>desktop/instance.py</extracomment>
        <translation>NovaDesk hat für diese Anfrage zu lange gebraucht.</translation>
    </message>
    <message>
        <source>NovaDesk took too long to answer.</source>
        <extracomment>ui/bridge.py</extracomment>
        <translation>NovaDesk hat nicht rechtzeitig geantwortet.</translation>
    </message>
    <message>
        <source>NovaDesk tries again by itself.</source>
        <extracomment>conversation/lifecycle.py transport/bedrock.py transport/gateway_failures.py transport/gateway_line.py transport/http2.py</extracomment>
        <translation>NovaDesk versucht es von selbst wieder.</translation>
    </message>
    <message>
        <source>NovaDesk tries again.</source>
        <extracomment>conversation/wire.py transport/sdk.py</extracomment>
        <translation>NovaDesk versucht es wieder.</translation>
    </message>
    <message>
        <source>Num Lock</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Num-Taste</translation>
    </message>
    <message>
        <source>Numbers of the last 24 hours and the report for a fault ({key})</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Zahlen der letzten 24 Stunden und der Fehlerbericht ({key})</translation>
    </message>
    <message>
        <source>Offline</source>
        <extracomment>conversation/eventlog.py ui/states.py</extracomment>
        <translation>Offline</translation>
    </message>
    <message>
        <source>On this desktop</source>
        <extracomment>ui/setting_extras.py</extracomment>
        <translation>Auf diesem System</translation>
    </message>
    <message>
        <source>Only your own can be removed.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Nur eigene lassen sich entfernen.</translation>
    </message>
    <message>
        <source>Open</source>
        <extracomment>ui/history_list.py</extracomment>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Opening the devices…</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Öffnet die Geräte …</translation>
    </message>
    <message>
        <source>Opening the microphone</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Öffnet das Mikrofon</translation>
    </message>
    <message>
        <source>Opening the microphone… type meanwhile</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Öffnet das Mikrofon … schreiben geht schon</translation>
    </message>
    <message>
        <source>Option</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Option</translation>
    </message>
    <message>
        <source>Page Down</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Bild ab</translation>
    </message>
    <message>
        <source>Page Up</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Bild auf</translation>
    </message>
    <message>
        <source>Partner</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Gegenüber</translation>
    </message>
    <message>
        <source>Pause that &amp;ends a turn</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>&amp;Pause bis zum Senden</translation>
    </message>
    <message>
        <source>Play/Pause</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Wiedergabe/Pause</translation>
    </message>
    <message>
        <source>Practice partner on this computer</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Übungspartner auf diesem Computer</translation>
    </message>
    <message>
        <source>Press a key or a mouse button; Esc to cancel</source>
        <extracomment>ui/key_capture.py</extracomment>
        <translation>Eine Taste oder Maustaste drücken; Esc bricht ab</translation>
    </message>
    <message>
        <source>Press again to send</source>
        <extracomment>ui/session_panel.py</extracomment>
        <translation>Zum Senden noch einmal drücken</translation>
    </message>
    <message>
        <source>Press and let go of a talk key a few times. It is counted, and does nothing else.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>Eine Sprechtaste ein paarmal drücken und loslassen. Das wird gezählt und bewirkt sonst nichts.</translation>
    </message>
    <message>
        <source>Press and let go of a talk key now.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>Jetzt eine Sprechtaste drücken und loslassen.</translation>
    </message>
    <message>
        <source>Press to begin, press to end</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Drücken beginnt, Drücken beendet</translation>
    </message>
    <message>
        <source>Press {key}</source>
        <extracomment>ui/session_panel.py ui/states.py</extracomment>
        <translation>{key} drücken</translation>
    </message>
    <message>
        <source>Press {key}</source>
        <comment>to interrupt</comment>
        <extracomment>ui/states.py</extracomment>
        <translation>{key} drücken</translation>
    </message>
    <message>
        <source>Press {key} to talk</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Zum Sprechen {key} drücken</translation>
    </message>
    <message>
        <source>Print Screen</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Druck-Taste</translation>
    </message>
    <message>
        <source>Private</source>
        <extracomment>ui/header.py</extracomment>
        <translation>Privat</translation>
    </message>
    <message>
        <source>Private conversation</source>
        <extracomment>ui/header.py ui/states.py</extracomment>
        <translation>Privates Gespräch</translation>
    </message>
    <message>
        <source>Protocol events</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Protokollereignisse</translation>
    </message>
    <message>
        <source>Put them into HTTPS_PROXY as http://NAME:PASSWORD@HOST:PORT.</source>
        <extracomment>transport/proxy.py</extracomment>
        <translation>In HTTPS_PROXY als http://NAME:PASSWORT@RECHNER:PORT eintragen.</translation>
    </message>
    <message>
        <source>Quit</source>
        <extracomment>ui/background.py ui/main_window.py</extracomment>
        <translation>Beenden</translation>
    </message>
    <message numerus="yes">
        <source>Quit and lose 1 turn?</source>
        <comment>Quit and lose {n} turns?</comment>
        <extracomment>ui/main_window.py</extracomment>
        <translation>
            <numerusform>Beenden und 1 Beitrag verlieren?</numerusform>
            <numerusform>Beenden und {n} Beiträge verlieren?</numerusform>
        </translation>
    </message>
    <message>
        <source>Reading {done} of {whole}</source>
        <extracomment>ui/sync_row.py</extracomment>
        <translation>Liest {done} von {whole}</translation>
    </message>
    <message>
        <source>Reading…</source>
        <extracomment>ui/sync_row.py</extracomment>
        <translation>Liest …</translation>
    </message>
    <message>
        <source>Ready</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Bereit</translation>
    </message>
    <message>
        <source>Reconnecting</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Verbindet neu</translation>
    </message>
    <message>
        <source>Remove star</source>
        <extracomment>ui/history_list.py</extracomment>
        <translation>Stern entfernen</translation>
    </message>
    <message>
        <source>Remove {key}</source>
        <extracomment>ui/key_list.py</extracomment>
        <translation>{key} entfernen</translation>
    </message>
    <message>
        <source>Rename</source>
        <extracomment>ui/history_list.py</extracomment>
        <translation>Umbenennen</translation>
    </message>
    <message>
        <source>Renewing</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Erneuert</translation>
    </message>
    <message>
        <source>Report this to the makers.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Bitte den Herstellern melden.</translation>
    </message>
    <message>
        <source>Resting</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Ruht</translation>
    </message>
    <message>
        <source>Resting. {talk}, or type to go on</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Ruht. {talk} oder schreiben, um fortzufahren</translation>
    </message>
    <message>
        <source>Right arrow</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Pfeil nach rechts</translation>
    </message>
    <message>
        <source>Right {key}</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>{key} rechts</translation>
    </message>
    <message>
        <source>Run `aws configure list-profiles` to see the names, then set AWS_PROFILE or [backend] profile.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>`aws configure list-profiles` zeigt die Namen; dann AWS_PROFILE oder [backend] profile setzen.</translation>
    </message>
    <message>
        <source>Run `aws configure sso` or `aws configure`, or set AWS_PROFILE.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>`aws configure sso` oder `aws configure` ausführen oder AWS_PROFILE setzen.</translation>
    </message>
    <message>
        <source>Run `novadesk history list` to see the ids.</source>
        <extracomment>models.py</extracomment>
        <translation>`novadesk history list` zeigt die Kennungen.</translation>
    </message>
    <message>
        <source>Run `novadesk history list` to see those that are.</source>
        <extracomment>models.py</extracomment>
        <translation>`novadesk history list` zeigt die vorhandenen.</translation>
    </message>
    <message>
        <source>Run `novadesk scenarios list` to see those that are.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>`novadesk scenarios list` zeigt die vorhandenen.</translation>
    </message>
    <message>
        <source>Run `novadesk serve` to see why; `novadesk doctor` checks its parts.</source>
        <extracomment>app/practice.py</extracomment>
        <translation>`novadesk serve` zeigt den Grund; `novadesk doctor` prüft die Teile.</translation>
    </message>
    <message>
        <source>Run the command as that user.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>Den Befehl unter diesem Benutzer ausführen.</translation>
    </message>
    <message>
        <source>S&amp;peaking pace</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>S&amp;prechtempo</translation>
    </message>
    <message>
        <source>Said in</source>
        <extracomment>ui/history_model.py</extracomment>
        <translation>Gesagt in</translation>
    </message>
    <message>
        <source>Same scenario &amp;again</source>
        <extracomment>ui/scenario_desk.py</extracomment>
        <translation>Gleiches Szenario noch &amp;einmal</translation>
    </message>
    <message>
        <source>Save it as UTF-8.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Als UTF-8 speichern.</translation>
    </message>
    <message>
        <source>Tell of a trouble, and of its end, while another window is in front.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Von einer Störung und ihrem Ende berichten, während ein anderes Fenster vorn ist.</translation>
    </message>
    <message>
        <source>The language of the window. You can speak another one.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Die Sprache des Fensters. Sprechen können Sie eine andere.</translation>
    </message>
    <message>
        <source>They are removed from this computer. You can undo this for a short while.</source>
        <extracomment>ui/clear_dialog.py</extracomment>
        <translation>Sie verschwinden von diesem Computer. Das lässt sich kurze Zeit rückgängig machen.</translation>
    </message>
    <message>
        <source>They work in every window, where the desktop allows it.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sie wirken in jedem Fenster, wo das System es erlaubt.</translation>
    </message>
    <message>
        <source>In the background</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>Im Hintergrund</translation>
    </message>
    <message>
        <source>While it is unplugged, the system&apos;s default is used.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Solange es nicht angeschlossen ist, dient das Standardgerät des Systems.</translation>
    </message>
    <message>
        <source>Who speaks the answers. You can also type a voice that is not in the list.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wer die Antworten spricht. Auch eine Stimme, die nicht in der Liste steht, lässt sich eintragen.</translation>
    </message>
    <message>
        <source>You can also change it beside the talk button, and with Ctrl+Up and Ctrl+Down.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Lässt sich auch neben dem Sprechknopf ändern, und mit Strg+Hoch und Strg+Runter.</translation>
    </message>
    <message>
        <source>You can also change this beside the talk button.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Lässt sich auch neben dem Sprechknopf ändern.</translation>
    </message>
    <message>
        <source>You may not use this gateway.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Sie dürfen dieses Gateway nicht benutzen.</translation>
    </message>
    <message>
        <source>{microphone} is open. Say something.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>{microphone} ist offen. Sagen Sie etwas.</translation>
    </message>
    <message>
        <source>Scroll Lock</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Rollen-Taste</translation>
    </message>
    <message>
        <source>Search</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Suchen</translation>
    </message>
    <message>
        <source>Search conversations</source>
        <extracomment>ui/history_view.py ui/main_window.py</extracomment>
        <translation>Gespräche durchsuchen</translation>
    </message>
    <message>
        <source>See `novadesk ctl --help`.</source>
        <extracomment>app/control.py</extracomment>
        <translation>Siehe `novadesk ctl --help`.</translation>
    </message>
    <message>
        <source>Send</source>
        <extracomment>ui/composer.py</extracomment>
        <translation>Senden</translation>
    </message>
    <message>
        <source>Send a shorter text.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>Einen kürzeren Text senden.</translation>
    </message>
    <message>
        <source>Set AWS_CA_BUNDLE or [backend] ca_bundle to a PEM file, or leave it empty.</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>AWS_CA_BUNDLE oder [backend] ca_bundle auf eine PEM-Datei setzen oder leer lassen.</translation>
    </message>
    <message>
        <source>Set AWS_ENDPOINT_URL_BEDROCK_RUNTIME or [backend] bedrock_endpoint to https://HOST, or leave it empty.</source>
        <extracomment>transport/endpoint.py</extracomment>
        <translation>AWS_ENDPOINT_URL_BEDROCK_RUNTIME oder [backend] bedrock_endpoint auf https://RECHNER setzen oder leer lassen.</translation>
    </message>
    <message>
        <source>Set AWS_REGION or [backend] region to a name such as us-east-1.</source>
        <extracomment>config.py</extracomment>
        <translation>AWS_REGION oder [backend] region auf einen Namen wie us-east-1 setzen.</translation>
    </message>
    <message>
        <source>Set [backend] ca_bundle to your organisation&apos;s certificates.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>[backend] ca_bundle auf die Zertifikate der eigenen Organisation setzen.</translation>
    </message>
    <message>
        <source>Set [backend] kms_key to the full ARN of a key that you may use, or to nothing.</source>
        <extracomment>store/agentruntime.py</extracomment>
        <translation>[backend] kms_key auf den vollen ARN eines erlaubten Schlüssels setzen oder leeren.</translation>
    </message>
    <message>
        <source>Set [backend] model.</source>
        <extracomment>transport/bedrock.py</extracomment>
        <translation>[backend] model setzen.</translation>
    </message>
    <message>
        <source>Set it to http://HOST:PORT, or unset it.</source>
        <extracomment>transport/proxy.py</extracomment>
        <translation>Auf http://RECHNER:PORT setzen oder entfernen.</translation>
    </message>
    <message>
        <source>Set up a keyring and try again.</source>
        <extracomment>store/registry.py</extracomment>
        <translation>Einen Schlüsselbund einrichten und noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Settings</source>
        <extracomment>ui/history_view.py ui/main_window.py ui/settings_window.py</extracomment>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Several microphones are named “{name}”: {several}.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Mehrere Mikrofone heißen „{name}“: {several}.</translation>
    </message>
    <message>
        <source>Several speakers are named “{name}”: {several}.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Mehrere Lautsprecher heißen „{name}“: {several}.</translation>
    </message>
    <message>
        <source>Shift</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Umschalt</translation>
    </message>
    <message>
        <source>Short (1.5 s)</source>
        <extracomment>ui/scenario_pickers.py ui/setting_table.py</extracomment>
        <translation>Kurz (1,5 s)</translation>
    </message>
    <message>
        <source>Show conversations</source>
        <extracomment>ui/header.py</extracomment>
        <translation>Gespräche anzeigen</translation>
    </message>
    <message>
        <source>&amp;As</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>&amp;Als</translation>
    </message>
    <message>
        <source>&amp;About NovaDesk</source>
        <extracomment>ui/keys_dialog.py</extracomment>
        <translation>Ü&amp;ber NovaDesk</translation>
    </message>
    <message>
        <source>&amp;Back</source>
        <extracomment>ui/wizard.py</extracomment>
        <translation>&amp;Zurück</translation>
    </message>
    <message>
        <source>&amp;Begin</source>
        <extracomment>ui/scenario_form.py</extracomment>
        <translation>&amp;Beginnen</translation>
    </message>
    <message>
        <source>&amp;Begin with it</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>Damit &amp;beginnen</translation>
    </message>
    <message>
        <source>&amp;Change</source>
        <extracomment>ui/scenario_change.py</extracomment>
        <translation>Ä&amp;ndern</translation>
    </message>
    <message>
        <source>&amp;Copy</source>
        <extracomment>ui/crash_dialog.py ui/event_log.py</extracomment>
        <translation>&amp;Kopieren</translation>
    </message>
    <message>
        <source>&amp;Copy the IAM policy</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>IAM-Richtlinie &amp;kopieren</translation>
    </message>
    <message>
        <source>&amp;Done</source>
        <extracomment>ui/wizard.py</extracomment>
        <translation>&amp;Fertig</translation>
    </message>
    <message>
        <source>&amp;Export…</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>&amp;Exportieren …</translation>
    </message>
    <message>
        <source>&amp;Format</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>&amp;Format</translation>
    </message>
    <message>
        <source>&amp;From</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>&amp;Von</translation>
    </message>
    <message>
        <source>&amp;Interrupted only</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Nur &amp;unterbrochene</translation>
    </message>
    <message>
        <source>&amp;Language</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>&amp;Sprache</translation>
    </message>
    <message>
        <source>&amp;Microphone</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>&amp;Mikrofon</translation>
    </message>
    <message>
        <source>&amp;Next</source>
        <extracomment>ui/wizard.py</extracomment>
        <translation>&amp;Weiter</translation>
    </message>
    <message>
        <source>&amp;Play a sentence and listen</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Satz abspielen und hin&amp;hören</translation>
    </message>
    <message>
        <source>&amp;Private: nothing of the conversation is kept</source>
        <extracomment>ui/scenario_form.py</extracomment>
        <translation>&amp;Privat: Vom Gespräch bleibt nichts</translation>
    </message>
    <message>
        <source>&amp;Record 4 seconds and play them</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>4 Sekunden &amp;aufnehmen und abspielen</translation>
    </message>
    <message>
        <source>&amp;Restart NovaDesk</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>NovaDesk neu &amp;starten</translation>
    </message>
    <message>
        <source>&amp;Save</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>&amp;Speichern</translation>
    </message>
    <message>
        <source>&amp;Save…</source>
        <extracomment>ui/bundle_dialog.py ui/crash_dialog.py</extracomment>
        <translation>S&amp;peichern …</translation>
    </message>
    <message>
        <source>&amp;Start NovaDesk with this computer, in the tray</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>NovaDesk mit dem Computer &amp;starten, im Infobereich</translation>
    </message>
    <message>
        <source>&amp;Stop</source>
        <extracomment>ui/wizard_access.py ui/wizard_sound.py</extracomment>
        <translation>An&amp;halten</translation>
    </message>
    <message>
        <source>&amp;Talk</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>S&amp;prechen</translation>
    </message>
    <message>
        <source>&amp;Test access</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Zugang &amp;testen</translation>
    </message>
    <message>
        <source>&amp;To</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>&amp;Bis</translation>
    </message>
    <message>
        <source>&amp;Undo</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>&amp;Rückgängig</translation>
    </message>
    <message numerus="yes">
        <source>1 conversation</source>
        <comment>{n} conversations</comment>
        <extracomment>store/retention.py ui/export_dialog.py ui/history_actions.py ui/history_list.py</extracomment>
        <translation>
            <numerusform>1 Gespräch</numerusform>
            <numerusform>{n} Gespräche</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 conversation brought back.</source>
        <comment>{n} conversations brought back.</comment>
        <extracomment>ui/history_actions.py</extracomment>
        <translation>
            <numerusform>1 Gespräch zurückgeholt.</numerusform>
            <numerusform>{n} Gespräche zurückgeholt.</numerusform>
        </translation>
    </message>
    <message>
        <source>1 day</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>1 Tag</translation>
    </message>
    <message numerus="yes">
        <source>1 day</source>
        <comment>{n} days</comment>
        <extracomment>store/retention.py ui/history_view.py</extracomment>
        <translation>
            <numerusform>1 Tag</numerusform>
            <numerusform>{n} Tage</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 setting found</source>
        <comment>{n} settings found</comment>
        <extracomment>ui/setting_sidebar.py</extracomment>
        <translation>
            <numerusform>1 Einstellung gefunden</numerusform>
            <numerusform>{n} Einstellungen gefunden</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 setting was imported.</source>
        <comment>{n} settings were imported.</comment>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>
            <numerusform>1 Einstellung wurde importiert.</numerusform>
            <numerusform>{n} Einstellungen wurden importiert.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 setting was reset.</source>
        <comment>{n} settings were reset.</comment>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>
            <numerusform>1 Einstellung wurde zurückgesetzt.</numerusform>
            <numerusform>{n} Einstellungen wurden zurückgesetzt.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 setting would change:</source>
        <comment>{n} settings would change:</comment>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>
            <numerusform>1 Einstellung würde sich ändern:</numerusform>
            <numerusform>{n} Einstellungen würden sich ändern:</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 turn carried over.</source>
        <comment>{n} turns carried over.</comment>
        <extracomment>conversation/record.py</extracomment>
        <translation>
            <numerusform>1 Beitrag übernommen.</numerusform>
            <numerusform>{n} Beiträge übernommen.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 turn could not be saved.</source>
        <comment>{n} turns could not be saved.</comment>
        <extracomment>conversation/record.py</extracomment>
        <translation>
            <numerusform>1 Beitrag ließ sich nicht speichern.</numerusform>
            <numerusform>{n} Beiträge ließen sich nicht speichern.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 turn is not saved yet.</source>
        <comment>{n} turns are not saved yet.</comment>
        <extracomment>conversation/record.py</extracomment>
        <translation>
            <numerusform>1 Beitrag ist noch nicht gespeichert.</numerusform>
            <numerusform>{n} Beiträge sind noch nicht gespeichert.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>1 turn waits for the remote store</source>
        <comment>{n} turns wait for the remote store</comment>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>
            <numerusform>1 Beitrag wartet auf den entfernten Speicher</numerusform>
            <numerusform>{n} Beiträge warten auf den entfernten Speicher</numerusform>
        </translation>
    </message>
    <message>
        <source>1 week</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>1 Woche</translation>
    </message>
    <message>
        <source>1 year</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>1 Jahr</translation>
    </message>
    <message>
        <source>30 days</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>30 Tage</translation>
    </message>
    <message>
        <source>90 days</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>90 Tage</translation>
    </message>
    <message>
        <source>A Flatpak cannot have the desktop start it.</source>
        <extracomment>desktop/autostart.py</extracomment>
        <translation>Ein Flatpak kann sich nicht vom Desktop starten lassen.</translation>
    </message>
    <message>
        <source>A break was asked for; the session is being ended</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Eine Pause wurde gewünscht; die Sitzung wird beendet</translation>
    </message>
    <message>
        <source>A choice</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Eine Auswahl</translation>
    </message>
    <message>
        <source>A command or a field got something that it does not take.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein Befehl oder ein Feld bekam etwas, das es nicht annimmt.</translation>
    </message>
    <message>
        <source>A file of authorities to trust, where a proxy or endpoint has its own.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Eine Datei vertrauter Stellen, wo Proxy oder Endpunkt eigene haben.</translation>
    </message>
    <message>
        <source>A file that was named is not there.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Eine angegebene Datei ist nicht da.</translation>
    </message>
    <message>
        <source>A folder with a file for each</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Ein Ordner mit einer Datei für jedes</translation>
    </message>
    <message>
        <source>A message is too large for the gateway.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Eine Nachricht ist zu groß für das Gateway.</translation>
    </message>
    <message>
        <source>A private conversation is kept nowhere. Copy it instead.</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Ein privates Gespräch wird nirgends aufbewahrt. Kopieren Sie es stattdessen.</translation>
    </message>
    <message>
        <source>A private conversation is open; nothing of it is noted here</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Ein privates Gespräch ist offen; hier steht nichts davon</translation>
    </message>
    <message>
        <source>A question was not answered. Please ask it again.</source>
        <extracomment>conversation/driver.py</extracomment>
        <translation>Eine Frage blieb ohne Antwort. Bitte noch einmal stellen.</translation>
    </message>
    <message>
        <source>A session of Nova Sonic lasts eight minutes at most.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Eine Sitzung von Nova Sonic dauert höchstens acht Minuten.</translation>
    </message>
    <message>
        <source>A simple voice on this computer, to try everything.</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Eine einfache Stimme auf diesem Computer, um alles auszuprobieren.</translation>
    </message>
    <message>
        <source>A sound device does not open, or brings no sound any more.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein Tongerät lässt sich nicht öffnen oder bringt keinen Ton mehr.</translation>
    </message>
    <message>
        <source>A sound device of the settings is not connected.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein Tongerät aus den Einstellungen ist nicht angeschlossen.</translation>
    </message>
    <message>
        <source>A sound file is no WAV that NovaDesk reads.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Eine Tondatei ist kein WAV, das NovaDesk liest.</translation>
    </message>
    <message>
        <source>A turn needs words, {n} characters of them at most.</source>
        <extracomment>store/conversations.py</extracomment>
        <translation>Ein Beitrag braucht Worte, höchstens {n} Zeichen.</translation>
    </message>
    <message>
        <source>A whole number</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Eine ganze Zahl</translation>
    </message>
    <message>
        <source>ARN of a KMS key of yours that encrypts them; empty uses Amazon&apos;s own.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>ARN eines eigenen KMS-Schlüssels dafür; leer dient der von Amazon.</translation>
    </message>
    <message>
        <source>AWS profile</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>AWS-Profil</translation>
    </message>
    <message>
        <source>AWS region</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>AWS-Region</translation>
    </message>
    <message>
        <source>AWS sign-in</source>
        <extracomment>app/access.py</extracomment>
        <translation>AWS-Anmeldung</translation>
    </message>
    <message>
        <source>Add `flatpak run {sandbox} --hidden` to the programs that your desktop starts, by hand.</source>
        <extracomment>desktop/autostart.py</extracomment>
        <translation>Tragen Sie `flatpak run {sandbox} --hidden` von Hand bei den Programmen ein, die Ihr Desktop startet.</translation>
    </message>
    <message>
        <source>Add a field</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Feld hinzufügen</translation>
    </message>
    <message>
        <source>Address of a model on this computer that speaks the OpenAI protocol; empty uses set phrases.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Adresse eines Modells auf diesem Computer mit OpenAI-Protokoll; leer dienen feste Sätze.</translation>
    </message>
    <message>
        <source>Address of the gateway</source>
        <extracomment>ui/setting_table.py ui/wizard_access.py</extracomment>
        <translation>Adresse des Gateways</translation>
    </message>
    <message>
        <source>Address of the session store</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Adresse des Sitzungsspeichers</translation>
    </message>
    <message>
        <source>Address of the update feed</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Adresse des Update-Feeds</translation>
    </message>
    <message>
        <source>Address of the voice service</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Adresse des Sprachdienstes</translation>
    </message>
    <message>
        <source>All conversations</source>
        <extracomment>ui/history_actions.py ui/history_view.py</extracomment>
        <translation>Alle Gespräche</translation>
    </message>
    <message>
        <source>All settings are in use.</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Alle Einstellungen gelten.</translation>
    </message>
    <message>
        <source>Allow it in the system&apos;s dialog, then sync now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Im Dialog des Systems erlauben, dann jetzt abgleichen.</translation>
    </message>
    <message>
        <source>Allow it in {where}, then try again.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Unter {where} erlauben, dann noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Amazon Nova Sonic, with your own AWS account.</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Amazon Nova Sonic, mit dem eigenen AWS-Konto.</translation>
    </message>
    <message>
        <source>Amazon&apos;s own</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>die von Amazon</translation>
    </message>
    <message>
        <source>American English</source>
        <extracomment>scenario.py</extracomment>
        <translation>Amerikanisches Englisch</translation>
    </message>
    <message>
        <source>An answer is played</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Eine Antwort wird abgespielt</translation>
    </message>
    <message>
        <source>An answer of the service arrived damaged.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Eine Antwort des Dienstes kam beschädigt an.</translation>
    </message>
    <message>
        <source>Another NovaDesk works with the same conversations.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein anderes NovaDesk arbeitet mit denselben Gesprächen.</translation>
    </message>
    <message>
        <source>Another computer changed the remote copy at the same moment.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein anderer Computer hat die entfernte Kopie im selben Moment geändert.</translation>
    </message>
    <message>
        <source>Another field has this name.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Ein anderes Feld heißt schon so.</translation>
    </message>
    <message>
        <source>Another program goes on with this conversation.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Ein anderes Programm führt dieses Gespräch weiter.</translation>
    </message>
    <message>
        <source>Another program is holding the store {file}.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Ein anderes Programm hält den Speicher {file} fest.</translation>
    </message>
    <message>
        <source>Another program listens on the port.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein anderes Programm belegt den Port.</translation>
    </message>
    <message>
        <source>Another program or computer goes on with this conversation.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein anderes Programm oder ein anderer Computer führt dieses Gespräch weiter.</translation>
    </message>
    <message>
        <source>Another voice or scenario is wanted; it comes with the next session</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Eine andere Stimme oder ein anderes Szenario ist gewünscht; sie kommt mit der nächsten Sitzung</translation>
    </message>
    <message>
        <source>Answer its dialog, then sync now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Seinen Dialog beantworten, dann jetzt abgleichen.</translation>
    </message>
    <message>
        <source>Answer typed messages aloud</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Geschriebenes laut beantworten</translation>
    </message>
    <message>
        <source>Any backend</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Jeder Dienst</translation>
    </message>
    <message>
        <source>Any time</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Jederzeit</translation>
    </message>
    <message>
        <source>Appearance</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>Aussehen</translation>
    </message>
    <message>
        <source>As in the &amp;settings</source>
        <extracomment>ui/scenario_change.py</extracomment>
        <translation>Wie in den &amp;Einstellungen</translation>
    </message>
    <message>
        <source>As in the settings</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>Wie in den Einstellungen</translation>
    </message>
    <message>
        <source>As in the settings ({value})</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>Wie in den Einstellungen ({value})</translation>
    </message>
    <message>
        <source>As the system</source>
        <extracomment>ui/setting_fields.py ui/setting_rows.py ui/setting_table.py</extracomment>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Ask for a higher quota in the Service Quotas console, then try now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>In der Konsole „Service Quotas“ ein höheres Kontingent beantragen, dann jetzt versuchen.</translation>
    </message>
    <message>
        <source>Ask the people who run it for access.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Bitten Sie die Betreiber um Zugang.</translation>
    </message>
    <message>
        <source>Australian English</source>
        <extracomment>scenario.py</extracomment>
        <translation>Australisches Englisch</translation>
    </message>
    <message>
        <source>Back after {s} s.</source>
        <extracomment>conversation/losses.py</extracomment>
        <translation>Nach {s} s wieder da.</translation>
    </message>
    <message>
        <source>Be quiet for a moment…</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Bitte einen Moment still sein …</translation>
    </message>
    <message>
        <source>Begin every conversation private</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Jedes Gespräch privat beginnen</translation>
    </message>
    <message>
        <source>Begin with a scenario</source>
        <extracomment>ui/scenario_desk.py</extracomment>
        <translation>Mit einem Szenario beginnen</translation>
    </message>
    <message>
        <source>Being torn down</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>Im Abbau</translation>
    </message>
    <message>
        <source>British English</source>
        <extracomment>scenario.py</extracomment>
        <translation>Britisches Englisch</translation>
    </message>
    <message>
        <source>CA bundle TLS proxy network</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>CA-Bündel TLS Proxy Netz</translation>
    </message>
    <message>
        <source>Calling…</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Ruft an …</translation>
    </message>
    <message>
        <source>Can NovaDesk hear you?</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Hört NovaDesk Sie?</translation>
    </message>
    <message>
        <source>Can you hear NovaDesk?</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Hören Sie NovaDesk?</translation>
    </message>
    <message>
        <source>Certificates</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Zertifikate</translation>
    </message>
    <message>
        <source>Changed; NovaDesk&apos;s own is {value}.</source>
        <extracomment>ui/setting_view.py</extracomment>
        <translation>Geändert; von Haus aus {value}.</translation>
    </message>
    <message>
        <source>Changes</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Änderungen</translation>
    </message>
    <message>
        <source>Characters</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Zeichen</translation>
    </message>
    <message>
        <source>Check HTTPS_PROXY and NO_PROXY, or ask who runs the proxy; then try now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>HTTPS_PROXY und NO_PROXY prüfen oder den Betreiber des Proxys fragen; dann jetzt versuchen.</translation>
    </message>
    <message>
        <source>Check network and endpoint.</source>
        <extracomment>app/access.py</extracomment>
        <translation>Netz und Endpunkt prüfen.</translation>
    </message>
    <message>
        <source>Check network and endpoint; conversations stay on this computer until then.</source>
        <extracomment>app/access.py</extracomment>
        <translation>Netz und Endpunkt prüfen; bis dahin bleiben Gespräche auf diesem Computer.</translation>
    </message>
    <message>
        <source>Check now</source>
        <extracomment>ui/update_row.py</extracomment>
        <translation>Jetzt prüfen</translation>
    </message>
    <message>
        <source>Check the date of this computer; NovaDesk asks again tomorrow.</source>
        <extracomment>feed.py</extracomment>
        <translation>Das Datum dieses Computers prüfen; NovaDesk fragt morgen wieder.</translation>
    </message>
    <message>
        <source>Check the name of the file.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Den Namen der Datei prüfen.</translation>
    </message>
    <message>
        <source>Check the network; NovaDesk goes on trying.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das Netz prüfen; NovaDesk versucht es weiter.</translation>
    </message>
    <message>
        <source>Check the sound settings, then try again.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Die Toneinstellungen prüfen, dann noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Check them with `aws sts get-caller-identity{name}`.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Mit `aws sts get-caller-identity{name}` prüfen.</translation>
    </message>
    <message>
        <source>Check voice and instructions.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Prüfen Sie Stimme und Anweisungen.</translation>
    </message>
    <message>
        <source>Checking…</source>
        <extracomment>ui/update_row.py</extracomment>
        <translation>Wird geprüft …</translation>
    </message>
    <message>
        <source>Choices, such as A1, A2, B1</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Möglichkeiten, etwa A1, A2, B1</translation>
    </message>
    <message>
        <source>Choices, with commas between them</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Möglichkeiten, mit Kommas dazwischen</translation>
    </message>
    <message>
        <source>Choose a device</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Gerät wählen</translation>
    </message>
    <message>
        <source>Choose a microphone</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Mikrofon wählen</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Modell wählen</translation>
    </message>
    <message>
        <source>Choose a place…</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Ort wählen …</translation>
    </message>
    <message>
        <source>Choose a profile</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Profil wählen</translation>
    </message>
    <message>
        <source>Choose a profile that has keys, or set one up with `aws configure sso`.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein Profil mit Schlüsseln wählen oder eines mit `aws configure sso` einrichten.</translation>
    </message>
    <message>
        <source>Choose a region</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Region wählen</translation>
    </message>
    <message>
        <source>Choose a speaker</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Lautsprecher wählen</translation>
    </message>
    <message>
        <source>Choose another --port, or 0 for any.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein anderes --port wählen oder 0 für einen beliebigen.</translation>
    </message>
    <message>
        <source>Choose another conversation, or begin a new one.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein anderes Gespräch wählen oder ein neues beginnen.</translation>
    </message>
    <message>
        <source>Choose another device, or connect this one again.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Ein anderes Gerät wählen oder dieses wieder anschließen.</translation>
    </message>
    <message>
        <source>Choose another file.</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Eine andere Datei wählen.</translation>
    </message>
    <message>
        <source>Choose another language for the scenario.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Wählen Sie eine andere Sprache für das Szenario.</translation>
    </message>
    <message>
        <source>Choose another model in the settings.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>In den Einstellungen ein anderes Modell wählen.</translation>
    </message>
    <message>
        <source>Choose another model or region in the settings.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>In den Einstellungen ein anderes Modell oder eine andere Region wählen.</translation>
    </message>
    <message>
        <source>Choose another name, or have it replaced (--force).</source>
        <extracomment>app/export.py</extracomment>
        <translation>Einen anderen Namen wählen oder ersetzen lassen (--force).</translation>
    </message>
    <message>
        <source>Choose another one, or connect it again.</source>
        <extracomment>app/soundcheck.py</extracomment>
        <translation>Ein anderes wählen oder neu anschließen.</translation>
    </message>
    <message>
        <source>Choose another place.</source>
        <extracomment>app/bundling.py app/export.py</extracomment>
        <translation>Einen anderen Ort wählen.</translation>
    </message>
    <message>
        <source>Choose another region in the settings.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>In den Einstellungen eine andere Region wählen.</translation>
    </message>
    <message>
        <source>Choose where the new folder goes</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Ort für den neuen Ordner wählen</translation>
    </message>
    <message>
        <source>Clear the search</source>
        <extracomment>ui/controls.py</extracomment>
        <translation>Suche leeren</translation>
    </message>
    <message>
        <source>Close</source>
        <extracomment>ui/bundle_dialog.py ui/crash_dialog.py ui/export_dialog.py ui/inspector.py ui/offer_dialog.py ui/scenario_dialog.py ui/start_error.py ui/wizard.py</extracomment>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Close it, or use another --profile.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Es beenden oder ein anderes --profile benutzen.</translation>
    </message>
    <message>
        <source>Close the word on the new version</source>
        <extracomment>ui/offer_note.py</extracomment>
        <translation>Hinweis auf die neue Version schließen</translation>
    </message>
    <message>
        <source>Close the word on the talk key</source>
        <extracomment>ui/key_note.py</extracomment>
        <translation>Hinweis zur Sprechtaste schließen</translation>
    </message>
    <message numerus="yes">
        <source>Close without saving 1 scenario?</source>
        <comment>Close without saving {n} scenarios?</comment>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>
            <numerusform>Schließen, ohne 1 Szenario zu speichern?</numerusform>
            <numerusform>Schließen, ohne {n} Szenarien zu speichern?</numerusform>
        </translation>
    </message>
    <message>
        <source>Colours</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Farben</translation>
    </message>
    <message>
        <source>Connect a microphone.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Ein Mikrofon anschließen.</translation>
    </message>
    <message>
        <source>Connect a speaker.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Einen Lautsprecher anschließen.</translation>
    </message>
    <message>
        <source>Connect it, or choose another one.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Es anschließen oder ein anderes wählen.</translation>
    </message>
    <message>
        <source>Connecting anew…</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Verbindet neu …</translation>
    </message>
    <message>
        <source>Connecting…</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Verbindet …</translation>
    </message>
    <message>
        <source>Connection</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Verbindung</translation>
    </message>
    <message>
        <source>Connections at once</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Gleichzeitige Verbindungen</translation>
    </message>
    <message>
        <source>Content of the file</source>
        <extracomment>ui/bundle_dialog.py</extracomment>
        <translation>Inhalt der Datei</translation>
    </message>
    <message>
        <source>Conversations that you deleted are still at a gateway that the settings do not name: {n}.</source>
        <extracomment>app/gateway_erasure.py</extracomment>
        <translation>Gelöschte Gespräche liegen noch bei einem Gateway, das die Einstellungen nicht nennen: {n}.</translation>
    </message>
    <message>
        <source>Copied.</source>
        <extracomment>ui/key_standing.py ui/turn_actions.py</extracomment>
        <translation>Kopiert.</translation>
    </message>
    <message>
        <source>Copied. {caution}</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Kopiert. {caution}</translation>
    </message>
    <message>
        <source>Copy all</source>
        <extracomment>ui/inspector.py</extracomment>
        <translation>Alles kopieren</translation>
    </message>
    <message>
        <source>Copy permissions</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Rechte kopieren</translation>
    </message>
    <message>
        <source>Copy the code</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Code kopieren</translation>
    </message>
    <message>
        <source>Copy the last answer</source>
        <extracomment>ui/main_window.py ui/tray.py ui/turn_actions.py</extracomment>
        <translation>Letzte Antwort kopieren</translation>
    </message>
    <message>
        <source>Copy the whole as Markdown</source>
        <extracomment>ui/turn_actions.py</extracomment>
        <translation>Ganzes Gespräch als Markdown kopieren</translation>
    </message>
    <message>
        <source>Copy the whole conversation</source>
        <extracomment>ui/turn_actions.py</extracomment>
        <translation>Ganzes Gespräch kopieren</translation>
    </message>
    <message>
        <source>Copy {title}</source>
        <extracomment>ui/inspector.py</extracomment>
        <translation>{title} kopieren</translation>
    </message>
    <message>
        <source>Correct [backend] gateway.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Berichtigen Sie [backend] gateway.</translation>
    </message>
    <message>
        <source>Correct the setting that the sentence names.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Einstellung berichtigen, die der Satz nennt.</translation>
    </message>
    <message>
        <source>Correct what the sentence names, then switch it on again.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Berichtigen, was der Satz nennt, dann wieder einschalten.</translation>
    </message>
    <message>
        <source>Correct what the sentence names.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Berichtigen, was der Satz nennt.</translation>
    </message>
    <message>
        <source>Correct what was heard</source>
        <extracomment>ui/correct_dialog.py</extracomment>
        <translation>Gehörtes berichtigen</translation>
    </message>
    <message>
        <source>Correct…</source>
        <extracomment>ui/turn_actions.py</extracomment>
        <translation>Berichtigen …</translation>
    </message>
    <message>
        <source>Could you hear yourself? Then go on.</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Haben Sie sich gehört? Dann weiter.</translation>
    </message>
    <message>
        <source>Dark</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Del</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Entf</translation>
    </message>
    <message>
        <source>Delete all</source>
        <extracomment>ui/clear_dialog.py</extracomment>
        <translation>Alle löschen</translation>
    </message>
    <message>
        <source>Delete all conversations</source>
        <extracomment>ui/clear_dialog.py</extracomment>
        <translation>Alle Gespräche löschen</translation>
    </message>
    <message>
        <source>Delete all…</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Alle löschen …</translation>
    </message>
    <message>
        <source>Delete here and in the cloud</source>
        <extracomment>ui/history_list.py</extracomment>
        <translation>Hier und in der Cloud löschen</translation>
    </message>
    <message numerus="yes">
        <source>Delete the one conversation?</source>
        <comment>Delete all {n} conversations?</comment>
        <extracomment>ui/clear_dialog.py</extracomment>
        <translation>
            <numerusform>Das eine Gespräch löschen?</numerusform>
            <numerusform>Alle {n} Gespräche löschen?</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Delete the one copy in the &amp;cloud too</source>
        <comment>Delete the {n} copies in the &amp;cloud too</comment>
        <extracomment>ui/clear_dialog.py</extracomment>
        <translation>
            <numerusform>Auch die Kopie in der &amp;Cloud löschen</numerusform>
            <numerusform>Auch die {n} Kopien in der &amp;Cloud löschen</numerusform>
        </translation>
    </message>
    <message>
        <source>Delete the remote copies as well</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Auch die entfernten Kopien löschen</translation>
    </message>
    <message>
        <source>Delete the scenario</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>Szenario löschen</translation>
    </message>
    <message>
        <source>Diagnostics bundle</source>
        <extracomment>ui/bundle_dialog.py</extracomment>
        <translation>Diagnosepaket</translation>
    </message>
    <message>
        <source>Download NovaDesk only from where you know it; if it goes on, tell the people who publish it.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>NovaDesk nur von dort laden, wo Sie es kennen; wenn das anhält, denen sagen, die es veröffentlichen.</translation>
    </message>
    <message>
        <source>Duplicate the scenario</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>Szenario verdoppeln</translation>
    </message>
    <message>
        <source>Empty takes the first one that it offers.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Leer nimmt das erste, das es anbietet.</translation>
    </message>
    <message>
        <source>End it there, then try now.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Beenden Sie es dort und versuchen Sie es dann erneut.</translation>
    </message>
    <message>
        <source>End key</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Ende</translation>
    </message>
    <message>
        <source>End the conversation there, then try now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Beenden Sie das Gespräch dort und versuchen Sie es dann erneut.</translation>
    </message>
    <message>
        <source>English</source>
        <extracomment>scenario.py</extracomment>
        <translation>Englisch</translation>
    </message>
    <message>
        <source>Error</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Fehler</translation>
    </message>
    <message>
        <source>Event log</source>
        <extracomment>ui/inspector.py</extracomment>
        <translation>Ereignisprotokoll</translation>
    </message>
    <message>
        <source>Events</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Ereignisse</translation>
    </message>
    <message>
        <source>Every turn is in the remote store</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Jeder Beitrag ist im entfernten Speicher</translation>
    </message>
    <message>
        <source>Everything</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Alles</translation>
    </message>
    <message>
        <source>Everything is in the clipboard. The ids name your session: give them only to whom you trust.</source>
        <extracomment>ui/inspector.py</extracomment>
        <translation>Alles ist in der Zwischenablage. Die Kennungen bezeichnen Ihre Sitzung: nur an Vertraute weitergeben.</translation>
    </message>
    <message>
        <source>Export</source>
        <extracomment>ui/export_dialog.py ui/main_window.py</extracomment>
        <translation>Exportieren</translation>
    </message>
    <message>
        <source>Export all…</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Alle exportieren …</translation>
    </message>
    <message>
        <source>Export settings</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Einstellungen exportieren</translation>
    </message>
    <message>
        <source>Export the event log</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Ereignisprotokoll exportieren</translation>
    </message>
    <message>
        <source>Export…</source>
        <extracomment>ui/history_list.py ui/settings_transfer.py</extracomment>
        <translation>Exportieren …</translation>
    </message>
    <message>
        <source>Files of the bundle</source>
        <extracomment>ui/bundle_dialog.py</extracomment>
        <translation>Dateien des Pakets</translation>
    </message>
    <message>
        <source>Fill in the form of “{title}”.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Das Formular von „{title}“ ausfüllen.</translation>
    </message>
    <message>
        <source>Filter conversations</source>
        <extracomment>ui/main_window.py</extracomment>
        <translation>Gespräche filtern</translation>
    </message>
    <message>
        <source>Filters</source>
        <extracomment>ui/filter_bar.py ui/history_view.py</extracomment>
        <translation>Filter</translation>
    </message>
    <message>
        <source>First day</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Erster Tag</translation>
    </message>
    <message>
        <source>First steps</source>
        <extracomment>ui/main_window.py ui/wizard.py</extracomment>
        <translation>Erste Schritte</translation>
    </message>
    <message>
        <source>For a private endpoint; empty is Amazon&apos;s own.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Für einen privaten Endpunkt; leer heißt der von Amazon.</translation>
    </message>
    <message>
        <source>For ever</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Für immer</translation>
    </message>
    <message>
        <source>For notes and wikis.</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Für Notizen und Wikis.</translation>
    </message>
    <message>
        <source>For players, with times from the beginning; where a turn began is estimated.</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Für Abspielprogramme, mit Zeiten ab dem Anfang; der Beginn eines Beitrags ist geschätzt.</translation>
    </message>
    <message>
        <source>For programs, with everything that is known of a turn.</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Für Programme, mit allem, was von einem Beitrag bekannt ist.</translation>
    </message>
    <message>
        <source>For reading anywhere.</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Überall zu lesen.</translation>
    </message>
    <message>
        <source>For spreadsheets, a row for each turn.</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Für Tabellen, eine Zeile je Beitrag.</translation>
    </message>
    <message>
        <source>Form, filled in before a conversation begins</source>
        <extracomment>ui/scenario_editor.py</extracomment>
        <translation>Formular, auszufüllen vor dem Gespräch</translation>
    </message>
    <message>
        <source>Free some space; what waits is saved by itself.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Platz schaffen; was wartet, wird von selbst gespeichert.</translation>
    </message>
    <message>
        <source>French</source>
        <extracomment>scenario.py</extracomment>
        <translation>Französisch</translation>
    </message>
    <message>
        <source>From</source>
        <comment>a number</comment>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Von</translation>
    </message>
    <message>
        <source>From … to …</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Von … bis …</translation>
    </message>
    <message>
        <source>Gate</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>Durchlass</translation>
    </message>
    <message>
        <source>Gathering</source>
        <extracomment>ui/bundle_dialog.py</extracomment>
        <translation>Wird gesammelt</translation>
    </message>
    <message>
        <source>General</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>Allgemein</translation>
    </message>
    <message>
        <source>German</source>
        <extracomment>scenario.py</extracomment>
        <translation>Deutsch</translation>
    </message>
    <message>
        <source>Give it a title of one line.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Einen Titel von einer Zeile geben.</translation>
    </message>
    <message>
        <source>Give these permissions to whoever manages the account, and ask for access to the model.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Diese Rechte an die Verwaltung des Kontos geben und Zugang zum Modell erbitten.</translation>
    </message>
    <message>
        <source>Give these permissions to whoever manages the account.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Diese Rechte an die Verwaltung des Kontos geben.</translation>
    </message>
    <message>
        <source>Global keys cannot be watched on this system.</source>
        <extracomment>desktop/hotkeys/base.py</extracomment>
        <translation>Dieses System lässt keine Taste für alle Programme zu.</translation>
    </message>
    <message>
        <source>Going on after the break; a session is being opened</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Es geht nach der Pause weiter; eine Sitzung wird geöffnet</translation>
    </message>
    <message>
        <source>Good</source>
        <extracomment>ui/level_meter.py</extracomment>
        <translation>Gut</translation>
    </message>
    <message>
        <source>Heard was: “{text}”</source>
        <extracomment>ui/correct_dialog.py</extracomment>
        <translation>Gehört wurde: „{text}“</translation>
    </message>
    <message>
        <source>Hide this line; the deletion stays</source>
        <extracomment>ui/undo_bar.py</extracomment>
        <translation>Diese Zeile ausblenden; gelöscht bleibt gelöscht</translation>
    </message>
    <message>
        <source>High contrast</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Hoher Kontrast</translation>
    </message>
    <message>
        <source>Hindi</source>
        <extracomment>scenario.py</extracomment>
        <translation>Hindi</translation>
    </message>
    <message>
        <source>History and sync</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>Verlauf und Abgleich</translation>
    </message>
    <message>
        <source>Hold a key</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Taste halten</translation>
    </message>
    <message>
        <source>Hold to &amp;talk</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Zum Sprechen &amp;halten</translation>
    </message>
    <message>
        <source>How do you want to talk?</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Wie möchten Sie sprechen?</translation>
    </message>
    <message>
        <source>How free the choice of words is: 0 is strict, 1 is free.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wie frei die Wortwahl ist: 0 ist streng, 1 ist frei.</translation>
    </message>
    <message>
        <source>How long you may be silent before the answer begins.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wie lange Sie schweigen dürfen, bevor die Antwort beginnt.</translation>
    </message>
    <message>
        <source>How many of the likely words are looked at: 1 is all of them.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wie viele der wahrscheinlichen Wörter in Frage kommen: 1 heißt alle.</translation>
    </message>
    <message>
        <source>I hear NovaDesk with</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Ich höre NovaDesk über</translation>
    </message>
    <message>
        <source>Icon in the tray</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Symbol im Infobereich</translation>
    </message>
    <message>
        <source>Ids of the session</source>
        <extracomment>ui/inspector.py</extracomment>
        <translation>Kennungen der Sitzung</translation>
    </message>
    <message>
        <source>Ids of the session, where its sound is on its way, what happened when ({key})</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Kennungen der Sitzung, wo ihr Ton gerade ist, was wann geschah ({key})</translation>
    </message>
    <message>
        <source>Import</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Importieren</translation>
    </message>
    <message>
        <source>Import settings</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Einstellungen importieren</translation>
    </message>
    <message>
        <source>Import…</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Importieren …</translation>
    </message>
    <message>
        <source>In the clipboard.</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>In der Zwischenablage.</translation>
    </message>
    <message>
        <source>In the clipboard: {command}</source>
        <extracomment>ui/remedies.py</extracomment>
        <translation>In der Zwischenablage: {command}</translation>
    </message>
    <message>
        <source>In the tray, or minimised where there is none; NovaDesk then ends with Quit only.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Im Infobereich, sonst verkleinert; NovaDesk endet dann nur mit Beenden.</translation>
    </message>
    <message>
        <source>In tokens, as the service counts them.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>In Tokens, wie der Dienst sie zählt.</translation>
    </message>
    <message>
        <source>Indian English</source>
        <extracomment>scenario.py</extracomment>
        <translation>Indisches Englisch</translation>
    </message>
    <message>
        <source>Ins</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Einfg</translation>
    </message>
    <message>
        <source>Insert</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Einfügen</translation>
    </message>
    <message>
        <source>Inspector</source>
        <extracomment>ui/inspector.py ui/main_window.py</extracomment>
        <translation>Inspektor</translation>
    </message>
    <message>
        <source>Inspector…</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Inspektor …</translation>
    </message>
    <message>
        <source>Install NovaDesk again; `novadesk doctor` names the part.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>NovaDesk neu installieren; `novadesk doctor` nennt den Teil.</translation>
    </message>
    <message>
        <source>Install the package novadesk-practice, or from source run `make setup`; then start NovaDesk again.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das Paket novadesk-practice installieren, oder im Quelltext `make setup` ausführen; danach NovaDesk neu starten.</translation>
    </message>
    <message>
        <source>Instructions</source>
        <extracomment>ui/scenario_change.py ui/scenario_editor.py ui/setting_table.py</extracomment>
        <translation>Anweisungen</translation>
    </message>
    <message>
        <source>It does not work yet. See below what to do.</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Es geht noch nicht. Unten steht, was zu tun ist.</translation>
    </message>
    <message numerus="yes">
        <source>It is connected again, with 1 turn carried over.</source>
        <comment>It is connected again, with {n} turns carried over.</comment>
        <extracomment>ui/notices.py</extracomment>
        <translation>
            <numerusform>Wieder verbunden, 1 Beitrag übernommen.</numerusform>
            <numerusform>Wieder verbunden, {n} Beiträge übernommen.</numerusform>
        </translation>
    </message>
    <message>
        <source>It is connected again.</source>
        <extracomment>ui/notices.py</extracomment>
        <translation>Wieder verbunden.</translation>
    </message>
    <message>
        <source>It is too late to bring that back.</source>
        <extracomment>ui/history_actions.py</extracomment>
        <translation>Das lässt sich nicht mehr zurückholen.</translation>
    </message>
    <message>
        <source>It needs more characters than it takes.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Es verlangt mehr Zeichen, als es fasst.</translation>
    </message>
    <message>
        <source>It needs {system} {minimum} or newer, and this computer has {here}.</source>
        <extracomment>app/updates.py</extracomment>
        <translation>Sie braucht {system} {minimum} oder neuer, und dieser Computer hat {here}.</translation>
    </message>
    <message>
        <source>It stays in the tray, so that the talk key works. To leave it, choose Quit in its menu there.</source>
        <extracomment>ui/background.py</extracomment>
        <translation>Es bleibt im Infobereich, damit die Sprechtaste wirkt. Zum Beenden dort im Menü Beenden wählen.</translation>
    </message>
    <message>
        <source>It works.</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Es geht.</translation>
    </message>
    <message>
        <source>It works. You are ready.</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Es geht. Alles ist bereit.</translation>
    </message>
    <message>
        <source>Italian</source>
        <extracomment>scenario.py</extracomment>
        <translation>Italienisch</translation>
    </message>
    <message>
        <source>Its id, or the ARN of your own.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Seine Kennung oder der ARN des eigenen.</translation>
    </message>
    <message>
        <source>Its name begins with a lower-case letter; letters, digits and _ may follow.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Der Name beginnt mit einem Kleinbuchstaben; Buchstaben, Ziffern und _ dürfen folgen.</translation>
    </message>
    <message>
        <source>JSON (.json)</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>JSON (.json)</translation>
    </message>
    <message>
        <source>KMS encryption sync</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>KMS Verschlüsselung Abgleich</translation>
    </message>
    <message>
        <source>Keep NovaDesk running?</source>
        <extracomment>ui/background.py</extracomment>
        <translation>NovaDesk weiterlaufen lassen?</translation>
    </message>
    <message>
        <source>Keep conversations</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Gespräche aufbewahren</translation>
    </message>
    <message>
        <source>Keep it running</source>
        <extracomment>ui/background.py</extracomment>
        <translation>Weiterlaufen lassen</translation>
    </message>
    <message>
        <source>Keep running when the window is closed</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nach dem Schließen des Fensters weiterlaufen</translation>
    </message>
    <message numerus="yes">
        <source>Keep the one with a &amp;star</source>
        <comment>Keep the {n} with a &amp;star</comment>
        <extracomment>ui/clear_dialog.py</extracomment>
        <translation>
            <numerusform>Das eine mit &amp;Stern behalten</numerusform>
            <numerusform>Die {n} mit &amp;Stern behalten</numerusform>
        </translation>
    </message>
    <message>
        <source>Kept for {days} after the last turn, with a star for ever</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Aufbewahrt bis {days} nach dem letzten Beitrag, mit Stern für immer</translation>
    </message>
    <message>
        <source>Key of the remote copies</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Schlüssel der entfernten Kopien</translation>
    </message>
    <message>
        <source>Keys</source>
        <extracomment>ui/keys_dialog.py ui/main_window.py</extracomment>
        <translation>Tasten</translation>
    </message>
    <message>
        <source>Kind</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Art</translation>
    </message>
    <message>
        <source>Kind of event</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Art des Ereignisses</translation>
    </message>
    <message>
        <source>LLM Ollama llama local URL</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>LLM Ollama llama lokal URL</translation>
    </message>
    <message>
        <source>LLM Ollama local</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>LLM Ollama lokal</translation>
    </message>
    <message>
        <source>Label of the field</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Beschriftung des Felds</translation>
    </message>
    <message>
        <source>Label, such as Job title</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Beschriftung, etwa Berufsbezeichnung</translation>
    </message>
    <message>
        <source>Language</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>Language model for practice</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sprachmodell zum Üben</translation>
    </message>
    <message>
        <source>Last 30 days</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Letzte 30 Tage</translation>
    </message>
    <message>
        <source>Last 365 days</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Letzte 365 Tage</translation>
    </message>
    <message>
        <source>Last 7 days</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Letzte 7 Tage</translation>
    </message>
    <message>
        <source>Last day</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Letzter Tag</translation>
    </message>
    <message>
        <source>Least characters</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Mindestens Zeichen</translation>
    </message>
    <message>
        <source>Less motion</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Weniger Bewegung</translation>
    </message>
    <message>
        <source>Let it look at the clock</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Auf die Uhr sehen lassen</translation>
    </message>
    <message>
        <source>Light</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Light, dark, or as the desktop is.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Hell, dunkel oder wie das System.</translation>
    </message>
    <message>
        <source>Link</source>
        <extracomment>ui/event_log.py ui/pipeline.py</extracomment>
        <translation>Verbindung</translation>
    </message>
    <message>
        <source>Listen on after release</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nach dem Loslassen weiterhören</translation>
    </message>
    <message>
        <source>Listening for the sentence</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Horcht auf den Satz</translation>
    </message>
    <message>
        <source>Longest answer</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Längste Antwort</translation>
    </message>
    <message>
        <source>Longest talk</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Längstes Sprechen</translation>
    </message>
    <message>
        <source>Look for new versions</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nach neuen Versionen sehen</translation>
    </message>
    <message>
        <source>Look whether the disk answers.</source>
        <extracomment>app/scenarioshelf.py</extracomment>
        <translation>Prüfen, ob der Datenträger antwortet.</translation>
    </message>
    <message>
        <source>Make it writable for you, or close the program that holds it; then try now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Beschreibbar machen oder das Programm schließen, das sie hält; dann jetzt versuchen.</translation>
    </message>
    <message>
        <source>Markdown (.md)</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Markdown (.md)</translation>
    </message>
    <message>
        <source>Most characters</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Höchstens Zeichen</translation>
    </message>
    <message>
        <source>Mute the microphone</source>
        <extracomment>ui/tray.py</extracomment>
        <translation>Mikrofon stummschalten</translation>
    </message>
    <message>
        <source>Name of that model</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Name dieses Modells</translation>
    </message>
    <message>
        <source>Name of the field in the instructions</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Name des Felds in den Anweisungen</translation>
    </message>
    <message>
        <source>Name your organisation&apos;s certificates in the settings.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>In den Einstellungen die Zertifikate der eigenen Organisation angeben.</translation>
    </message>
    <message>
        <source>Never</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nie</translation>
    </message>
    <message>
        <source>New conversation with the same scenario</source>
        <extracomment>ui/header.py ui/scenario_desk.py</extracomment>
        <translation>Neues Gespräch mit demselben Szenario</translation>
    </message>
    <message>
        <source>New scenario</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>Neues Szenario</translation>
    </message>
    <message>
        <source>New version</source>
        <extracomment>ui/offer_dialog.py</extracomment>
        <translation>Neue Version</translation>
    </message>
    <message>
        <source>Newest turn = step</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>Neuester Beitrag = Schritt</translation>
    </message>
    <message>
        <source>No browser opens. The page is {address}</source>
        <extracomment>ui/offer_dialog.py</extracomment>
        <translation>Es öffnet sich kein Browser. Die Seite ist {address}</translation>
    </message>
    <message>
        <source>No echo canceller exists for this system, so NovaDesk does not listen while it speaks. With a headset, choose Headset to be able to interrupt it.</source>
        <extracomment>audio/canceller.py</extracomment>
        <translation>Für dieses System gibt es keine Echounterdrückung, daher hört NovaDesk nicht zu, während es spricht. Wer ein Headset trägt, wählt „Headset“ und kann es dann unterbrechen.</translation>
    </message>
    <message>
        <source>No gateway is set.</source>
        <extracomment>transport/endpoint.py transport/signin_provider.py</extracomment>
        <translation>Es ist kein Gateway eingestellt.</translation>
    </message>
    <message>
        <source>No microphone is connected, or the system lets no program use it.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Kein Mikrofon ist angeschlossen, oder das System gibt es keinem Programm.</translation>
    </message>
    <message>
        <source>No scenario is chosen</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Kein Szenario ist gewählt</translation>
    </message>
    <message>
        <source>No session is open</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Keine Sitzung ist offen</translation>
    </message>
    <message>
        <source>No speaker is connected.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Kein Lautsprecher ist angeschlossen.</translation>
    </message>
    <message>
        <source>Nobody signed in within ten minutes.</source>
        <extracomment>app/signin.py transport/signin_browser.py</extracomment>
        <translation>Innerhalb von zehn Minuten hat sich niemand angemeldet.</translation>
    </message>
    <message>
        <source>Nobody was asked yet whether there is a newer one.</source>
        <extracomment>ui/update_row.py</extracomment>
        <translation>Ob es eine neuere gibt, wurde noch nicht gefragt.</translation>
    </message>
    <message>
        <source>Not measured yet</source>
        <extracomment>conversation/inspection.py</extracomment>
        <translation>Noch nicht gemessen</translation>
    </message>
    <message>
        <source>Nothing heard. Hold the talk button while you speak.</source>
        <extracomment>conversation/controller.py</extracomment>
        <translation>Nichts gehört. Beim Sprechen den Sprechknopf halten.</translation>
    </message>
    <message>
        <source>Nothing would change: these settings are in force already.</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Nichts würde sich ändern: Diese Einstellungen gelten schon.</translation>
    </message>
    <message>
        <source>Nothing: NovaDesk connects again by itself, and try now does so at once.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Nichts: NovaDesk verbindet von selbst wieder, mit „Jetzt versuchen“ sofort.</translation>
    </message>
    <message>
        <source>Nothing: NovaDesk makes the next one; sync now does so at once.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Nichts: NovaDesk legt die nächste an, mit „Jetzt abgleichen“ sofort.</translation>
    </message>
    <message>
        <source>Nothing: NovaDesk merges both and goes on; sync now does so at once.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Nichts: NovaDesk führt beide zusammen und macht weiter, mit „Jetzt abgleichen“ sofort.</translation>
    </message>
    <message>
        <source>Nothing: NovaDesk opens the next session by itself.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Nichts: NovaDesk öffnet von selbst die nächste Sitzung.</translation>
    </message>
    <message>
        <source>Notice</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Hinweis</translation>
    </message>
    <message>
        <source>Nova</source>
        <extracomment>ui/item_models.py ui/wizard_talk.py</extracomment>
        <translation>Nova</translation>
    </message>
    <message>
        <source>Nova Sonic</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nova Sonic</translation>
    </message>
    <message numerus="yes">
        <source>Nova said 1 character</source>
        <comment>Nova said {n} characters</comment>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>
            <numerusform>Nova sagte 1 Zeichen</numerusform>
            <numerusform>Nova sagte {n} Zeichen</numerusform>
        </translation>
    </message>
    <message>
        <source>NovaDesk asks again tomorrow; nothing was changed.</source>
        <extracomment>app/updates.py catalogue.py feed.py</extracomment>
        <translation>NovaDesk fragt morgen wieder; geändert wurde nichts.</translation>
    </message>
    <message>
        <source>NovaDesk asks nobody by itself.</source>
        <extracomment>conversation/updateapi.py</extracomment>
        <translation>NovaDesk fragt von sich aus niemanden.</translation>
    </message>
    <message>
        <source>NovaDesk begins the next one.</source>
        <extracomment>transport/gateway_line.py</extracomment>
        <translation>NovaDesk beginnt die nächste.</translation>
    </message>
    <message>
        <source>NovaDesk did not answer within {s} seconds.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>NovaDesk hat nicht innerhalb von {s} Sekunden geantwortet.</translation>
    </message>
    <message>
        <source>NovaDesk hears you all the time in a conversation.</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>NovaDesk hört Sie im Gespräch die ganze Zeit.</translation>
    </message>
    <message>
        <source>NovaDesk is already running here (process {pid}, {role}).</source>
        <extracomment>desktop/corelock.py</extracomment>
        <translation>NovaDesk läuft hier schon (Prozess {pid}, {role}).</translation>
    </message>
    <message>
        <source>NovaDesk is already running here.</source>
        <extracomment>desktop/corelock.py</extracomment>
        <translation>NovaDesk läuft hier schon.</translation>
    </message>
    <message>
        <source>NovaDesk is back</source>
        <extracomment>ui/notices.py</extracomment>
        <translation>NovaDesk ist wieder da</translation>
    </message>
    <message>
        <source>NovaDesk is not permitted to use the microphone.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>NovaDesk darf das Mikrofon nicht benutzen.</translation>
    </message>
    <message>
        <source>NovaDesk is not permitted to use the speaker.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>NovaDesk darf den Lautsprecher nicht benutzen.</translation>
    </message>
    <message>
        <source>NovaDesk is still running</source>
        <extracomment>ui/background.py</extracomment>
        <translation>NovaDesk läuft weiter</translation>
    </message>
    <message>
        <source>NovaDesk met a fault</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>Fehler in NovaDesk</translation>
    </message>
    <message>
        <source>NovaDesk met a fault the last time it ran.</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>Beim letzten Mal trat in NovaDesk ein Fehler auf.</translation>
    </message>
    <message>
        <source>NovaDesk met a fault.</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>In NovaDesk ist ein Fehler aufgetreten.</translation>
    </message>
    <message>
        <source>NovaDesk needs you</source>
        <extracomment>ui/notices.py</extracomment>
        <translation>NovaDesk braucht Sie</translation>
    </message>
    <message>
        <source>NovaDesk no longer hears the keys of the desktop. Start it anew.</source>
        <extracomment>desktop/hotkeys/pynput_listener.py</extracomment>
        <translation>NovaDesk hört die Tasten des Systems nicht mehr. Neu starten.</translation>
    </message>
    <message>
        <source>NovaDesk opens it again by itself; if that does not help, connect it again or choose another one.</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>NovaDesk öffnet es von selbst wieder; hilft das nicht, neu anschließen oder ein anderes wählen.</translation>
    </message>
    <message>
        <source>NovaDesk remembers its remote sessions for this run only, and looks them up again next time.</source>
        <extracomment>store/registry.py</extracomment>
        <translation>NovaDesk merkt sich die entfernten Sitzungen nur bis zum Beenden und sucht sie beim nächsten Mal neu.</translation>
    </message>
    <message>
        <source>NovaDesk runs from its source here, so it looks for no new versions.</source>
        <extracomment>conversation/updateapi.py</extracomment>
        <translation>NovaDesk läuft hier aus dem Quelltext und sieht deshalb nicht nach neuen Versionen.</translation>
    </message>
    <message>
        <source>NovaDesk says a sentence and listens for it, to find out whether your microphone hears your speaker. The microphone is open for that long.</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>NovaDesk spricht einen Satz und horcht darauf, um zu erfahren, ob Ihr Mikrofon Ihren Lautsprecher hört. So lange ist das Mikrofon offen.</translation>
    </message>
    <message>
        <source>NovaDesk seems to hear its own voice. Turn the volume down, or use a headset.</source>
        <extracomment>conversation/talkover.py</extracomment>
        <translation>NovaDesk scheint die eigene Stimme zu hören. Leiser stellen oder ein Headset benutzen.</translation>
    </message>
    <message>
        <source>NovaDesk seems to hear its own voice. Use a headset, or choose Speakers in Settings.</source>
        <extracomment>conversation/talkover.py</extracomment>
        <translation>NovaDesk scheint die eigene Stimme zu hören. Ein Headset benutzen oder in den Einstellungen Lautsprecher wählen.</translation>
    </message>
    <message>
        <source>NovaDesk seems to hear its own voice. Use a headset, or turn the volume down.</source>
        <extracomment>conversation/talkover.py</extracomment>
        <translation>NovaDesk scheint die eigene Stimme zu hören. Ein Headset benutzen oder leiser stellen.</translation>
    </message>
    <message>
        <source>NovaDesk starts it again by itself; try now does so at once.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>NovaDesk startet ihn von selbst wieder, mit „Jetzt versuchen“ sofort.</translation>
    </message>
    <message>
        <source>NovaDesk tries again by itself; send a report if it comes back.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>NovaDesk versucht es von selbst wieder; kommt es wieder, bitte einen Bericht senden.</translation>
    </message>
    <message>
        <source>NovaDesk was installed as a package of your system, whose package manager brings new versions.</source>
        <extracomment>conversation/updateapi.py</extracomment>
        <translation>NovaDesk wurde als Paket Ihres Systems installiert; dessen Paketverwaltung bringt neue Versionen.</translation>
    </message>
    <message>
        <source>NovaDesk {version} is there.</source>
        <extracomment>ui/offer_dialog.py ui/offer_note.py ui/update_row.py</extracomment>
        <translation>NovaDesk {version} ist da.</translation>
    </message>
    <message>
        <source>NovaDesk&apos;s audio process has ended or hangs.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Tonprozess von NovaDesk wurde beendet oder hängt.</translation>
    </message>
    <message>
        <source>NovaDesk: {state}</source>
        <extracomment>ui/tray.py</extracomment>
        <translation>NovaDesk: {state}</translation>
    </message>
    <message>
        <source>Numbers of the last 24 hours, the log of events, and a report to send when something fails.</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Zahlen der letzten 24 Stunden, die Ereignisse und ein Bericht für den Fehlerfall.</translation>
    </message>
    <message>
        <source>Once a week a signed list of versions is read. Nothing is told of you, and nothing is replaced.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Einmal in der Woche wird eine signierte Liste der Versionen gelesen. Über Sie wird nichts gesagt, und ersetzt wird nichts.</translation>
    </message>
    <message>
        <source>One line</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Eine Zeile</translation>
    </message>
    <message>
        <source>One page that needs no network, to read, print or send.</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Eine Seite ohne Netzbedarf, zum Lesen, Drucken oder Senden.</translation>
    </message>
    <message>
        <source>One zip file</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Eine Zip-Datei</translation>
    </message>
    <message>
        <source>Only when conversations are not kept for ever.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nur wenn Gespräche nicht für immer bleiben.</translation>
    </message>
    <message>
        <source>Only when you talk with a key.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nur beim Sprechen mit einer Taste.</translation>
    </message>
    <message>
        <source>Only with Amazon Bedrock.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nur mit Amazon Bedrock.</translation>
    </message>
    <message>
        <source>Only with a language model for practice.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nur mit einem Sprachmodell zum Üben.</translation>
    </message>
    <message>
        <source>Only with the practice partner.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nur mit dem Übungspartner.</translation>
    </message>
    <message>
        <source>Open diagnostics</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Diagnose öffnen</translation>
    </message>
    <message>
        <source>Open settings</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Einstellungen öffnen</translation>
    </message>
    <message>
        <source>Open the download page</source>
        <extracomment>ui/offer_dialog.py</extracomment>
        <translation>Download-Seite öffnen</translation>
    </message>
    <message>
        <source>Open the page</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Seite öffnen</translation>
    </message>
    <message>
        <source>Opening the microphone…</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Öffnet das Mikrofon …</translation>
    </message>
    <message>
        <source>Own voice and instructions</source>
        <extracomment>ui/scenario_change.py</extracomment>
        <translation>Eigene Stimme und Anweisungen</translation>
    </message>
    <message>
        <source>Parts</source>
        <extracomment>app/access.py</extracomment>
        <translation>Teile</translation>
    </message>
    <message>
        <source>Pause</source>
        <extracomment>ui/header.py ui/key_names.py</extracomment>
        <translation>Pause</translation>
    </message>
    <message>
        <source>Pause that ends a turn</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Pause bis zum Senden</translation>
    </message>
    <message>
        <source>Pause, or resume</source>
        <extracomment>ui/header.py</extracomment>
        <translation>Pause oder fortsetzen</translation>
    </message>
    <message>
        <source>Paused</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Pause</translation>
    </message>
    <message>
        <source>Paused. {talk}, or type to go on</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Pause. {talk} oder schreiben, um fortzufahren</translation>
    </message>
    <message>
        <source>Pausing</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Pausiert gleich</translation>
    </message>
    <message>
        <source>Pausing… the microphone is off</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Pausiert gleich … das Mikrofon ist aus</translation>
    </message>
    <message>
        <source>Place in the conversation</source>
        <extracomment>ui/whole_bar.py</extracomment>
        <translation>Stelle im Gespräch</translation>
    </message>
    <message>
        <source>Plug one in, or choose another one; answers are still written.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Einen anschließen oder einen anderen wählen; Antworten erscheinen weiter als Text.</translation>
    </message>
    <message>
        <source>Plug one in, or choose another one; typing works without.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Eines anschließen oder ein anderes wählen; Schreiben geht auch ohne.</translation>
    </message>
    <message>
        <source>Portuguese</source>
        <extracomment>scenario.py</extracomment>
        <translation>Portugiesisch</translation>
    </message>
    <message>
        <source>Practice</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Übung</translation>
    </message>
    <message>
        <source>Practice again</source>
        <extracomment>ui/header.py</extracomment>
        <translation>Noch einmal üben</translation>
    </message>
    <message>
        <source>Practice partner</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Übungspartner</translation>
    </message>
    <message>
        <source>Practice partner (local)</source>
        <extracomment>conversation/view.py</extracomment>
        <translation>Übungspartner (lokal)</translation>
    </message>
    <message>
        <source>Progress of the export</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Fortschritt des Exports</translation>
    </message>
    <message>
        <source>Progress of the recording</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Fortschritt der Aufnahme</translation>
    </message>
    <message>
        <source>Prompt on the wire</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>Prompt auf der Leitung</translation>
    </message>
    <message>
        <source>Protocol events, with lengths in the place of texts and sound</source>
        <extracomment>app/bundling.py</extracomment>
        <translation>Protokollereignisse, mit Längen anstelle von Texten und Ton</translation>
    </message>
    <message>
        <source>Put a backup in its place; `novadesk doctor` names the file.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Durch eine Sicherung ersetzen; `novadesk doctor` nennt die Datei.</translation>
    </message>
    <message>
        <source>Put the field where the cursor is in the instructions</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Das Feld an der Schreibmarke in die Anweisungen einsetzen</translation>
    </message>
    <message>
        <source>Quiet</source>
        <extracomment>ui/level_meter.py</extracomment>
        <translation>Leise</translation>
    </message>
    <message>
        <source>Quit NovaDesk</source>
        <extracomment>ui/tray.py</extracomment>
        <translation>NovaDesk beenden</translation>
    </message>
    <message>
        <source>Read what is in it, and untick what you do not want to give away. Nothing is sent: the bundle is a file for you to hand on. It holds no word of a conversation, no key, no id and not your name.</source>
        <extracomment>ui/bundle_dialog.py</extracomment>
        <translation>Lesen Sie, was darin steht, und wählen Sie ab, was Sie nicht weitergeben möchten. Nichts wird gesendet: Das Paket ist eine Datei, die Sie selbst weitergeben. Es enthält kein Wort eines Gesprächs, keinen Schlüssel, keine Kennung und nicht Ihren Namen.</translation>
    </message>
    <message numerus="yes">
        <source>Recovered 1 turn from last time.</source>
        <comment>Recovered {n} turns from last time.</comment>
        <extracomment>conversation/record.py</extracomment>
        <translation>
            <numerusform>1 Beitrag vom letzten Mal gerettet.</numerusform>
            <numerusform>{n} Beiträge vom letzten Mal gerettet.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Recovered 1 turn.</source>
        <comment>Recovered {n} turns.</comment>
        <extracomment>conversation/record.py</extracomment>
        <translation>
            <numerusform>1 Beitrag gerettet.</numerusform>
            <numerusform>{n} Beiträge gerettet.</numerusform>
        </translation>
    </message>
    <message>
        <source>Remote session</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>Entfernte Sitzung</translation>
    </message>
    <message>
        <source>Remote session {n}</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>Entfernte Sitzung {n}</translation>
    </message>
    <message>
        <source>Remove the field</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Feld entfernen</translation>
    </message>
    <message>
        <source>Remove {folder}, or give it to yourself with mode 0700.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>{folder} entfernen oder sich mit den Rechten 0700 geben.</translation>
    </message>
    <message>
        <source>Report</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>Bericht</translation>
    </message>
    <message>
        <source>Report, recording and crash reports as one file, which you read before it is saved</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Bericht, Aufzeichnung und Absturzberichte als eine Datei, die Sie vor dem Speichern lesen</translation>
    </message>
    <message>
        <source>Reset all of “{section}”</source>
        <extracomment>ui/setting_page.py</extracomment>
        <translation>Alles unter „{section}“ zurücksetzen</translation>
    </message>
    <message>
        <source>Reset everything</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Alles zurücksetzen</translation>
    </message>
    <message>
        <source>Reset section</source>
        <extracomment>ui/setting_page.py</extracomment>
        <translation>Abschnitt zurücksetzen</translation>
    </message>
    <message>
        <source>Reset “{label}” to {value}</source>
        <extracomment>ui/setting_view.py</extracomment>
        <translation>„{label}“ auf {value} zurücksetzen</translation>
    </message>
    <message>
        <source>Rest after</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Ruhen nach</translation>
    </message>
    <message>
        <source>Resting after {n} min without a turn. The conversation goes on when you talk.</source>
        <extracomment>conversation/lifecycle.py</extracomment>
        <translation>Ruht nach {n} min ohne Beitrag. Das Gespräch geht weiter, sobald Sie sprechen.</translation>
    </message>
    <message>
        <source>Resume</source>
        <extracomment>ui/header.py</extracomment>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Resuming</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Setzt fort</translation>
    </message>
    <message>
        <source>Resuming… type meanwhile</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Setzt fort … schreiben geht schon</translation>
    </message>
    <message>
        <source>Run `aws sso login{name}`, or renew the keys.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>`aws sso login{name}` ausführen oder die Schlüssel erneuern.</translation>
    </message>
    <message>
        <source>Install the package novadesk-practice, or from source run `make setup`.</source>
        <extracomment>app/access.py</extracomment>
        <translation>Das Paket novadesk-practice installieren, oder im Quelltext `make setup` ausführen.</translation>
    </message>
    <message>
        <source>Run `novadesk devices` and set [audio] {setting} to a name from its list.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>`novadesk devices` ausführen und [audio] {setting} auf einen Namen aus der Liste setzen.</translation>
    </message>
    <message>
        <source>Save</source>
        <extracomment>ui/correct_dialog.py</extracomment>
        <translation>Speichern</translation>
    </message>
    <message>
        <source>Save as</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Speichern als</translation>
    </message>
    <message>
        <source>Save bundle…</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Paket speichern …</translation>
    </message>
    <message>
        <source>Save it as 16-bit PCM WAV, 8 to 48 kHz.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Als WAV mit 16 Bit PCM und 8 bis 48 kHz speichern.</translation>
    </message>
    <message>
        <source>Save the bundle</source>
        <extracomment>ui/bundle_dialog.py</extracomment>
        <translation>Paket speichern</translation>
    </message>
    <message>
        <source>Save the report</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>Bericht speichern</translation>
    </message>
    <message>
        <source>Saved as {file}.</source>
        <extracomment>ui/bundle_dialog.py ui/event_log.py</extracomment>
        <translation>Als {file} gespeichert.</translation>
    </message>
    <message>
        <source>Saved.</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>Gespeichert.</translation>
    </message>
    <message>
        <source>Say hello</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Sagen Sie Hallo</translation>
    </message>
    <message>
        <source>Say something and watch the bar. The microphone is open only while you see this page.</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Sagen Sie etwas und beobachten Sie den Balken. Das Mikrofon ist nur offen, solange Sie diese Seite sehen.</translation>
    </message>
    <message>
        <source>Scenario</source>
        <extracomment>ui/details_view.py ui/event_log.py ui/scenario_editor.py</extracomment>
        <translation>Szenario</translation>
    </message>
    <message>
        <source>Scenarios</source>
        <extracomment>ui/scenario_desk.py ui/scenario_dialog.py</extracomment>
        <translation>Szenarien</translation>
    </message>
    <message>
        <source>Search settings</source>
        <extracomment>ui/setting_sidebar.py</extracomment>
        <translation>Einstellungen durchsuchen</translation>
    </message>
    <message>
        <source>Sections of the settings</source>
        <extracomment>ui/setting_sidebar.py</extracomment>
        <translation>Abschnitte der Einstellungen</translation>
    </message>
    <message>
        <source>Service</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>Dienst</translation>
    </message>
    <message>
        <source>Service and NovaDesk misunderstood each other.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Dienst und NovaDesk haben einander missverstanden.</translation>
    </message>
    <message>
        <source>Session</source>
        <extracomment>ui/inspector.py</extracomment>
        <translation>Sitzung</translation>
    </message>
    <message>
        <source>Session renewed</source>
        <extracomment>conversation/api.py</extracomment>
        <translation>Sitzung erneuert</translation>
    </message>
    <message>
        <source>Session store</source>
        <extracomment>app/access.py</extracomment>
        <translation>Sitzungsspeicher</translation>
    </message>
    <message>
        <source>Set [backend] gateway to its address until they are deleted there.</source>
        <extracomment>app/gateway_erasure.py</extracomment>
        <translation>Setzen Sie [backend] gateway auf seine Adresse, bis sie dort gelöscht sind.</translation>
    </message>
    <message>
        <source>Set [backend] gateway to one that begins with wss://.</source>
        <extracomment>transport/endpoint.py</extracomment>
        <translation>Setzen Sie [backend] gateway auf eine, die mit wss:// beginnt.</translation>
    </message>
    <message>
        <source>Set [backend] gateway to wss://HOST.</source>
        <extracomment>transport/endpoint.py</extracomment>
        <translation>Setzen Sie [backend] gateway auf wss://HOST.</translation>
    </message>
    <message>
        <source>Set [backend] model, for example {model}.</source>
        <extracomment>config.py</extracomment>
        <translation>[backend] model setzen, zum Beispiel {model}.</translation>
    </message>
    <message>
        <source>Set [updates] feed to one that begins with https://.</source>
        <extracomment>transport/feed_http.py</extracomment>
        <translation>[updates] feed auf eine setzen, die mit https:// beginnt.</translation>
    </message>
    <message>
        <source>Set by {variable} in the environment; unset it there to choose here.</source>
        <extracomment>ui/setting_view.py</extracomment>
        <translation>Durch {variable} in der Umgebung gesetzt; dort entfernen, um hier zu wählen.</translation>
    </message>
    <message>
        <source>Set one up; until then remote sessions are looked up anew at every start.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Einen einrichten; bis dahin werden entfernte Sitzungen bei jedem Start neu gesucht.</translation>
    </message>
    <message>
        <source>Set the clock, or renew the keys; then try now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Uhr stellen oder die Schlüssel erneuern; dann jetzt versuchen.</translation>
    </message>
    <message>
        <source>Set {variable} to a number.</source>
        <extracomment>settings_file.py</extracomment>
        <translation>{variable} auf eine Zahl setzen.</translation>
    </message>
    <message>
        <source>Set {variable} to another value, or not at all.</source>
        <extracomment>settings_file.py</extracomment>
        <translation>Setzen Sie {variable} auf einen anderen Wert oder gar nicht.</translation>
    </message>
    <message>
        <source>Settings (*.toml)</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Einstellungen (*.toml)</translation>
    </message>
    <message>
        <source>Settings as a file</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Einstellungen als Datei</translation>
    </message>
    <message>
        <source>Several lines</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Mehrere Zeilen</translation>
    </message>
    <message>
        <source>Show NovaDesk</source>
        <extracomment>ui/tray.py</extracomment>
        <translation>NovaDesk anzeigen</translation>
    </message>
    <message>
        <source>Show in folder</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Im Ordner zeigen</translation>
    </message>
    <message>
        <source>Show or hide the rest</source>
        <extracomment>ui/turn_actions.py</extracomment>
        <translation>Rest zeigen oder verbergen</translation>
    </message>
    <message>
        <source>Show what was &amp;said</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Ge&amp;sagtes zeigen</translation>
    </message>
    <message>
        <source>Show where the time goes</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Zeigen, wo die Zeit bleibt</translation>
    </message>
    <message>
        <source>Shows the state and mutes; some desktops have no room for it.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Zeigt den Zustand und schaltet stumm; manche Systeme haben keinen Platz dafür.</translation>
    </message>
    <message>
        <source>Sign in again</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Neu anmelden</translation>
    </message>
    <message>
        <source>Sign in again, for example with `aws sso login`.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Neu anmelden, zum Beispiel mit `aws sso login`.</translation>
    </message>
    <message>
        <source>Sign in again, or run the command in a terminal and read what it says.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Neu anmelden oder den Befehl in einem Terminal ausführen und lesen, was er sagt.</translation>
    </message>
    <message>
        <source>Sign in again.</source>
        <extracomment>catalogue.py transport/signin_provider.py</extracomment>
        <translation>Neu anmelden.</translation>
    </message>
    <message>
        <source>Sign in in the window, which goes on with it.</source>
        <extracomment>app/gateway_sign_in.py</extracomment>
        <translation>Im Fenster anmelden, das damit weitermacht.</translation>
    </message>
    <message>
        <source>Sign in to AWS.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Bei AWS anmelden.</translation>
    </message>
    <message>
        <source>Sign in to the gateway again.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Melden Sie sich erneut am Gateway an.</translation>
    </message>
    <message>
        <source>Sign in with a code</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Mit einem Code anmelden</translation>
    </message>
    <message>
        <source>Sign in with the browser</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Mit dem Browser anmelden</translation>
    </message>
    <message>
        <source>Sign out</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Abmelden</translation>
    </message>
    <message>
        <source>Sign-in</source>
        <extracomment>app/access.py</extracomment>
        <translation>Anmeldung</translation>
    </message>
    <message>
        <source>Sign-in at the gateway</source>
        <extracomment>ui/setting_extras.py</extracomment>
        <translation>Anmeldung am Gateway</translation>
    </message>
    <message>
        <source>Signed in. Connecting…</source>
        <extracomment>ui/remedies.py</extracomment>
        <translation>Angemeldet. Verbindet …</translation>
    </message>
    <message>
        <source>Silence answers</source>
        <extracomment>ui/volume.py</extracomment>
        <translation>Antworten stummschalten</translation>
    </message>
    <message>
        <source>Silence is sent: muted</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Stille wird gesendet: stumm</translation>
    </message>
    <message>
        <source>Silence is sent: nobody holds the talk key</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Stille wird gesendet: Niemand hält die Sprechtaste</translation>
    </message>
    <message>
        <source>Size of text</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Schriftgröße</translation>
    </message>
    <message>
        <source>Sk&amp;ip</source>
        <extracomment>ui/wizard.py</extracomment>
        <translation>Ü&amp;berspringen</translation>
    </message>
    <message>
        <source>Skip this version</source>
        <extracomment>ui/offer_dialog.py</extracomment>
        <translation>Diese Version überspringen</translation>
    </message>
    <message>
        <source>Slow</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>Langsam</translation>
    </message>
    <message>
        <source>So that the end of your last word is not cut off.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Damit das Ende Ihres letzten Wortes nicht abreißt.</translation>
    </message>
    <message>
        <source>Softer</source>
        <extracomment>ui/main_window.py</extracomment>
        <translation>Leiser</translation>
    </message>
    <message>
        <source>Some changes wait for a new connection.</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Einige Änderungen warten auf eine neue Verbindung.</translation>
    </message>
    <message>
        <source>Some changes wait for a new connection. It would end the private conversation.</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Einige Änderungen warten auf eine neue Verbindung. Sie würde das private Gespräch beenden.</translation>
    </message>
    <message>
        <source>Some desktops switch the input method with these keys. If so, choose F9.</source>
        <extracomment>chord.py</extracomment>
        <translation>Manche Systeme wechseln mit diesen Tasten die Eingabemethode. Dann F9 wählen.</translation>
    </message>
    <message>
        <source>Something to fill in before a conversation begins, such as a name</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Etwas, das vor dem Gespräch auszufüllen ist, etwa ein Name</translation>
    </message>
    <message>
        <source>Sound</source>
        <extracomment>ui/details_view.py ui/event_log.py</extracomment>
        <translation>Ton</translation>
    </message>
    <message>
        <source>Sound goes out at once</source>
        <extracomment>conversation/quality.py</extracomment>
        <translation>Ton geht sofort hinaus</translation>
    </message>
    <message>
        <source>Sound settings</source>
        <extracomment>ui/sound_note.py</extracomment>
        <translation>Ton einstellen</translation>
    </message>
    <message>
        <source>Sound since the devices were opened</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Ton, seit die Geräte offen sind</translation>
    </message>
    <message>
        <source>Space</source>
        <extracomment>ui/key_names.py ui/main_window.py</extracomment>
        <translation>Leertaste</translation>
    </message>
    <message>
        <source>Space or {key}</source>
        <extracomment>ui/main_window.py</extracomment>
        <translation>Leertaste oder {key}</translation>
    </message>
    <message>
        <source>Spanish</source>
        <extracomment>scenario.py</extracomment>
        <translation>Spanisch</translation>
    </message>
    <message>
        <source>Speak</source>
        <comment>to interrupt</comment>
        <extracomment>ui/states.py</extracomment>
        <translation>sprechen</translation>
    </message>
    <message>
        <source>Speak now: everything is recorded for four seconds.</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Jetzt sprechen: Vier Sekunden lang wird alles aufgenommen.</translation>
    </message>
    <message>
        <source>Speaker</source>
        <extracomment>ui/details_view.py ui/pipeline.py ui/setting_table.py</extracomment>
        <translation>Lautsprecher</translation>
    </message>
    <message>
        <source>Speakers</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Lautsprecher</translation>
    </message>
    <message>
        <source>Speakers, taking turns</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Lautsprecher, abwechselnd</translation>
    </message>
    <message>
        <source>Speaking</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Spricht</translation>
    </message>
    <message>
        <source>Speech in</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Sprache ein</translation>
    </message>
    <message>
        <source>Speech out</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Sprache aus</translation>
    </message>
    <message>
        <source>Star</source>
        <extracomment>ui/history_list.py</extracomment>
        <translation>Mit Stern merken</translation>
    </message>
    <message>
        <source>Start NovaDesk again.</source>
        <extracomment>store/database.py</extracomment>
        <translation>NovaDesk neu starten.</translation>
    </message>
    <message>
        <source>Start NovaDesk again: it sets the damaged file aside and brings back what it can.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>NovaDesk neu starten: Es legt die beschädigte Datei beiseite und holt zurück, was geht.</translation>
    </message>
    <message>
        <source>Start NovaDesk anew.</source>
        <extracomment>transport/bedrock.py</extracomment>
        <translation>NovaDesk neu starten.</translation>
    </message>
    <message>
        <source>Start it again to go on.</source>
        <extracomment>ui/bridge.py</extracomment>
        <translation>Zum Fortfahren neu starten.</translation>
    </message>
    <message>
        <source>Start it again, then try now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Neu starten, dann jetzt versuchen.</translation>
    </message>
    <message>
        <source>Start it with `novadesk`.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>Mit `novadesk` starten.</translation>
    </message>
    <message>
        <source>Start it, then give the command again.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Starten, dann den Befehl noch einmal geben.</translation>
    </message>
    <message>
        <source>Start the conversation</source>
        <extracomment>ui/tray.py</extracomment>
        <translation>Gespräch beginnen</translation>
    </message>
    <message>
        <source>Start the desktop&apos;s keyring service; until then conversations are found again on this computer only.</source>
        <extracomment>desktop/keychain.py</extracomment>
        <translation>Den Schlüsselbunddienst des Systems starten; bis dahin finden sich Gespräche nur auf diesem Computer wieder.</translation>
    </message>
    <message>
        <source>Start the sound server (PulseAudio or PipeWire), then try again.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Den Tonserver (PulseAudio oder PipeWire) starten, dann noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Start with the desktop</source>
        <extracomment>ui/setting_extras.py</extracomment>
        <translation>Mit dem System starten</translation>
    </message>
    <message>
        <source>Stay</source>
        <extracomment>ui/main_window.py ui/scenario_dialog.py</extracomment>
        <translation>Bleiben</translation>
    </message>
    <message>
        <source>Step {n} of {all}</source>
        <extracomment>ui/wizard.py</extracomment>
        <translation>Schritt {n} von {all}</translation>
    </message>
    <message>
        <source>Step {n} of {all}: {title}</source>
        <extracomment>ui/wizard.py</extracomment>
        <translation>Schritt {n} von {all}: {title}</translation>
    </message>
    <message>
        <source>Stop</source>
        <extracomment>ui/gateway_account.py ui/key_test.py ui/session_panel.py ui/sound_fields.py</extracomment>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Stop the answer</source>
        <extracomment>ui/main_window.py ui/mini_strip.py ui/session_panel.py</extracomment>
        <translation>Antwort anhalten</translation>
    </message>
    <message>
        <source>Stop the test</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Test beenden</translation>
    </message>
    <message>
        <source>Stop to interrupt, or type {here}</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Mit Stopp unterbrechen oder {here} schreiben</translation>
    </message>
    <message>
        <source>Stopped</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Angehalten</translation>
    </message>
    <message>
        <source>Stopped.</source>
        <extracomment>ui/gateway_account.py ui/wizard_access.py ui/wizard_sound.py</extracomment>
        <translation>Angehalten.</translation>
    </message>
    <message>
        <source>Stopped. Nothing was kept.</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Angehalten. Nichts wurde behalten.</translation>
    </message>
    <message>
        <source>Stopped. What is here stays.</source>
        <extracomment>ui/sync_row.py</extracomment>
        <translation>Angehalten. Was da ist, bleibt.</translation>
    </message>
    <message>
        <source>Subtitles (.srt)</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Untertitel (.srt)</translation>
    </message>
    <message>
        <source>Super</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Super</translation>
    </message>
    <message>
        <source>Sync</source>
        <extracomment>ui/details_view.py ui/event_log.py</extracomment>
        <translation>Abgleich</translation>
    </message>
    <message>
        <source>Sync now</source>
        <extracomment>catalogue.py ui/sync_row.py</extracomment>
        <translation>Jetzt abgleichen</translation>
    </message>
    <message>
        <source>Synced.</source>
        <extracomment>ui/remedies.py</extracomment>
        <translation>Abgeglichen.</translation>
    </message>
    <message>
        <source>Syncing…</source>
        <extracomment>ui/remedies.py</extracomment>
        <translation>Gleicht ab …</translation>
    </message>
    <message>
        <source>System default</source>
        <extracomment>ui/setting_fields.py ui/setting_rows.py ui/wizard_sound.py ui/words.py</extracomment>
        <translation>Wie im System</translation>
    </message>
    <message>
        <source>Tab</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Tabulator</translation>
    </message>
    <message>
        <source>Table (.csv)</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Tabelle (.csv)</translation>
    </message>
    <message>
        <source>Take it back</source>
        <extracomment>ui/correct_dialog.py</extracomment>
        <translation>Zurücknehmen</translation>
    </message>
    <message>
        <source>Take the correction back</source>
        <extracomment>ui/turn_actions.py</extracomment>
        <translation>Berichtigung zurücknehmen</translation>
    </message>
    <message>
        <source>Take turns</source>
        <extracomment>ui/sound_note.py</extracomment>
        <translation>Abwechseln</translation>
    </message>
    <message>
        <source>Talk</source>
        <extracomment>ui/keys_dialog.py ui/session_panel.py</extracomment>
        <translation>Sprechen</translation>
    </message>
    <message>
        <source>Talk hands-free</source>
        <extracomment>ui/session_panel.py</extracomment>
        <translation>Freisprechen</translation>
    </message>
    <message>
        <source>Talk key</source>
        <extracomment>ui/details_view.py ui/setting_rows.py</extracomment>
        <translation>Sprechtaste</translation>
    </message>
    <message>
        <source>Talking</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Sprechen</translation>
    </message>
    <message>
        <source>Talk key…</source>
        <extracomment>ui/key_note.py</extracomment>
        <translation>Sprechtaste …</translation>
    </message>
    <message>
        <source>&amp;Copy details</source>
        <extracomment>ui/start_error.py</extracomment>
        <translation>Einzelheiten &amp;kopieren</translation>
    </message>
    <message>
        <source>As the people say who run it: wss://voice.example.com.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>So, wie sie die nennen, die es betreiben: wss://voice.example.com.</translation>
    </message>
    <message>
        <source>Any tool</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Jedes Werkzeug</translation>
    </message>
    <message>
        <source>After this long without a word, connection and microphone are closed. Talking opens them again.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nach dieser Zeit ohne Beitrag werden Verbindung und Mikrofon geschlossen. Sprechen öffnet sie wieder.</translation>
    </message>
    <message>
        <source>Any voice</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Jede Stimme</translation>
    </message>
    <message>
        <source>Ask for a new one.</source>
        <extracomment>transport/gateway_account.py</extracomment>
        <translation>Um ein neues bitten.</translation>
    </message>
    <message>
        <source>Back to the window</source>
        <extracomment>ui/mini_strip.py</extracomment>
        <translation>Zurück zum Fenster</translation>
    </message>
    <message>
        <source>Check the address, or paste a token that the people who run it give you.</source>
        <extracomment>transport/signin_provider.py</extracomment>
        <translation>Die Adresse prüfen oder ein Token einfügen, das die geben, die es betreiben.</translation>
    </message>
    <message>
        <source>Company</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Unternehmen</translation>
    </message>
    <message>
        <source>Copy the whole token, and paste it again.</source>
        <extracomment>transport/gateway_account.py</extracomment>
        <translation>Das ganze Token kopieren und noch einmal einfügen.</translation>
    </message>
    <message>
        <source>Counted from their last turn. Those with a star stay, and those that are not synced yet.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Gezählt ab dem letzten Beitrag. Gespräche mit Stern bleiben, ebenso noch nicht abgeglichene.</translation>
    </message>
    <message>
        <source>Date and time</source>
        <extracomment>ui/words.py</extracomment>
        <translation>Datum und Uhrzeit</translation>
    </message>
    <message>
        <source>Error {code} ({layer}). The command “novadesk doctor” says what else is wrong, and saves a report.</source>
        <extracomment>ui/start_error.py</extracomment>
        <translation>Fehler {code} ({layer}). Der Befehl „novadesk doctor“ sagt, was sonst nicht stimmt, und speichert einen Bericht.</translation>
    </message>
    <message>
        <source>Even if the system does not ask for it.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Auch wenn das System ihn nicht verlangt.</translation>
    </message>
    <message>
        <source>First steps…</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Erste Schritte …</translation>
    </message>
    <message>
        <source>Hidden, ready for the talk key, with the microphone closed. The desktop remembers this, not NovaDesk.</source>
        <extracomment>ui/setting_extras.py</extracomment>
        <translation>Verborgen, bereit für die Sprechtaste, mit geschlossenem Mikrofon. Das merkt sich das System, nicht NovaDesk.</translation>
    </message>
    <message>
        <source>How NovaDesk keeps its own voice out of your microphone.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wie NovaDesk seine eigene Stimme aus Ihrem Mikrofon heraushält.</translation>
    </message>
    <message>
        <source>In percent of the system&apos;s size. Everything else grows with it.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>In Prozent der Größe des Systems. Alles andere wächst mit.</translation>
    </message>
    <message>
        <source>It counts when it is pressed alone: shortcuts with this key go on working, and do not talk.</source>
        <extracomment>chord.py</extracomment>
        <translation>Sie zählt, wenn sie allein gedrückt wird: Tastenkürzel mit dieser Taste gehen weiter und sprechen nicht.</translation>
    </message>
    <message>
        <source>Job description</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Stellenbeschreibung</translation>
    </message>
    <message>
        <source>Job interview</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Vorstellungsgespräch</translation>
    </message>
    <message>
        <source>Job title</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Stellenbezeichnung</translation>
    </message>
    <message>
        <source>Language practice</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Sprachübung</translation>
    </message>
    <message>
        <source>Language to learn</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Sprache, die geübt wird</translation>
    </message>
    <message>
        <source>Level</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Niveau</translation>
    </message>
    <message>
        <source>Make it writable for you, or name another folder with --home.</source>
        <extracomment>errors.py</extracomment>
        <translation>Die Datei für sich beschreibbar machen oder mit --home einen anderen Ordner nennen.</translation>
    </message>
    <message>
        <source>Mini strip</source>
        <extracomment>ui/main_window.py ui/mini_strip.py ui/tray.py</extracomment>
        <translation>Ministreifen</translation>
    </message>
    <message>
        <source>New conversations are saved nowhere and are gone when you leave them. Those you have stay.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Neue Gespräche werden nirgends gespeichert und sind weg, sobald Sie sie verlassen. Vorhandene bleiben.</translation>
    </message>
    <message>
        <source>No port of this computer is free for the sign-in.</source>
        <extracomment>transport/signin_browser.py</extracomment>
        <translation>Kein Port dieses Computers ist frei für die Anmeldung.</translation>
    </message>
    <message>
        <source>Nobody entered the code in time.</source>
        <extracomment>transport/signin_device.py</extracomment>
        <translation>Der Code wurde nicht rechtzeitig eingegeben.</translation>
    </message>
    <message>
        <source>Not imported, and left as they are: {names}.</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Nicht übernommen und unverändert: {names}.</translation>
    </message>
    <message>
        <source>Not with the practice partner.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nicht mit dem Übungspartner.</translation>
    </message>
    <message>
        <source>Notes after a meeting</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Notizen nach einem Treffen</translation>
    </message>
    <message>
        <source>Nothing moves or fades, even if the system does not ask for it.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nichts bewegt sich oder blendet, auch wenn das System es nicht verlangt.</translation>
    </message>
    <message>
        <source>Notifications</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Benachrichtigungen</translation>
    </message>
    <message>
        <source>NovaDesk closed the connection: it ends, or begins anew with other settings.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>NovaDesk hat die Verbindung geschlossen: Es endet oder beginnt mit anderen Einstellungen neu.</translation>
    </message>
    <message>
        <source>NovaDesk, mini strip</source>
        <extracomment>ui/mini_strip.py</extracomment>
        <translation>NovaDesk, Ministreifen</translation>
    </message>
    <message>
        <source>Only this conversation changes. Its session is renewed in the next quiet moment, and what was said so far goes along.</source>
        <extracomment>ui/scenario_change.py</extracomment>
        <translation>Geändert wird nur dieses Gespräch. Seine Sitzung wird im nächsten ruhigen Moment erneuert; das bisher Gesagte geht mit.</translation>
    </message>
    <message>
        <source>Only with a gateway.</source>
        <extracomment>ui/setting_extras.py ui/setting_table.py</extracomment>
        <translation>Nur mit einem Gateway.</translation>
    </message>
    <message>
        <source>Otherwise they are answered in writing only. You can also change this beside the text field.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sonst wird nur schriftlich geantwortet. Lässt sich auch neben dem Textfeld ändern.</translation>
    </message>
    <message>
        <source>Set its address, as the people say who run it, in the settings.</source>
        <extracomment>transport/signin_provider.py</extracomment>
        <translation>Seine Adresse in den Einstellungen eintragen, so wie sie die nennen, die es betreiben.</translation>
    </message>
    <message>
        <source>Set one that begins with wss://, as the people say who run it.</source>
        <extracomment>transport/signin_provider.py</extracomment>
        <translation>Eine eintragen, die mit wss:// beginnt, so wie sie die nennen, die es betreiben.</translation>
    </message>
    <message>
        <source>Set {variable} to a new one, or run `novadesk gateway login`.</source>
        <extracomment>transport/gateway_token.py</extracomment>
        <translation>{variable} auf ein neues setzen oder `novadesk gateway login` ausführen.</translation>
    </message>
    <message>
        <source>Sign in to it in the settings, or run `novadesk gateway login`.</source>
        <extracomment>transport/gateway_token.py</extracomment>
        <translation>In den Einstellungen anmelden oder `novadesk gateway login` ausführen.</translation>
    </message>
    <message>
        <source>Sign in with a code instead, or close other programs that sign in.</source>
        <extracomment>transport/signin_browser.py</extracomment>
        <translation>Stattdessen mit einem Code anmelden oder andere Programme schließen, die sich anmelden.</translation>
    </message>
    <message>
        <source>Sign in with a code instead.</source>
        <extracomment>transport/signin_browser.py</extracomment>
        <translation>Stattdessen mit einem Code anmelden.</translation>
    </message>
    <message>
        <source>Sign in with the browser.</source>
        <extracomment>transport/signin_device.py</extracomment>
        <translation>Mit dem Browser anmelden.</translation>
    </message>
    <message>
        <source>Takes effect in the next quiet moment of the conversation.</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>Gilt ab dem nächsten ruhigen Moment des Gesprächs.</translation>
    </message>
    <message>
        <source>Talk keys are chosen in Settings. The keys of a list are shown in its menu.</source>
        <extracomment>ui/keys_dialog.py</extracomment>
        <translation>Die Sprechtasten wählen Sie in den Einstellungen. Die Tasten einer Liste stehen in ihrem Menü.</translation>
    </message>
    <message>
        <source>Talking stopped when the computer slept.</source>
        <extracomment>app/talkpress.py</extracomment>
        <translation>Sprechen beendet, als der Computer schlief.</translation>
    </message>
    <message>
        <source>Talking stopped when the screen was locked.</source>
        <extracomment>app/talkpress.py</extracomment>
        <translation>Sprechen beendet, als der Bildschirm gesperrt wurde.</translation>
    </message>
    <message>
        <source>Talking stopped: NovaDesk no longer hears the key.</source>
        <extracomment>app/talkpress.py</extracomment>
        <translation>Sprechen beendet: NovaDesk hört die Taste nicht mehr.</translation>
    </message>
    <message>
        <source>Talking stopped: the desktop no longer tells of the key.</source>
        <extracomment>app/talkpress.py</extracomment>
        <translation>Sprechen beendet: Das System meldet die Taste nicht mehr.</translation>
    </message>
    <message>
        <source>Talking stopped: this is another microphone. Press again to go on.</source>
        <extracomment>app/talkpress.py</extracomment>
        <translation>Sprechen beendet: Das ist ein anderes Mikrofon. Zum Fortfahren neu drücken.</translation>
    </message>
    <message>
        <source>Temperature</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Temperatur</translation>
    </message>
    <message>
        <source>Test</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Test</translation>
    </message>
    <message>
        <source>Test for {n} seconds</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>{n} Sekunden lang testen</translation>
    </message>
    <message>
        <source>Test microphone and speaker</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Mikrofon und Lautsprecher testen</translation>
    </message>
    <message>
        <source>Text (.txt)</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Text (.txt)</translation>
    </message>
    <message>
        <source>Text in</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Text ein</translation>
    </message>
    <message>
        <source>Text out</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Text aus</translation>
    </message>
    <message>
        <source>That is a built-in scenario.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Das ist ein mitgeliefertes Szenario.</translation>
    </message>
    <message>
        <source>That is no scenario: {rule}.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Das ist kein Szenario: {rule}.</translation>
    </message>
    <message>
        <source>That is not a conversation id of NovaDesk.</source>
        <extracomment>models.py</extracomment>
        <translation>Das ist keine Gesprächskennung von NovaDesk.</translation>
    </message>
    <message>
        <source>The AWS keys could not be had ({code}).</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Die AWS-Schlüssel waren nicht zu bekommen ({code}).</translation>
    </message>
    <message>
        <source>The AWS keys have expired.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Die AWS-Schlüssel sind abgelaufen.</translation>
    </message>
    <message>
        <source>The AWS keys were not found within {s} seconds.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Die AWS-Schlüssel fanden sich nicht innerhalb von {s} Sekunden.</translation>
    </message>
    <message>
        <source>The AWS library took too long to load.</source>
        <extracomment>transport/bedrock.py</extracomment>
        <translation>Die AWS-Bibliothek hat zu lange zum Laden gebraucht.</translation>
    </message>
    <message>
        <source>The AWS profile in use does not exist.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Das benutzte AWS-Profil gibt es nicht.</translation>
    </message>
    <message>
        <source>The AWS program does not start.</source>
        <extracomment>app/signin.py</extracomment>
        <translation>Das Programm von AWS startet nicht.</translation>
    </message>
    <message>
        <source>The AWS program ended without a sign-in.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das Programm von AWS endete ohne Anmeldung.</translation>
    </message>
    <message>
        <source>The AWS program is not installed here. Run this where it is, then try now: {command}</source>
        <extracomment>ui/remedies.py</extracomment>
        <translation>Das Programm von AWS ist hier nicht installiert. Dort ausführen, wo es das ist, dann jetzt versuchen: {command}</translation>
    </message>
    <message>
        <source>The AWS region does not exist, or has no Nova Sonic.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die AWS-Region gibt es nicht, oder sie hat kein Nova Sonic.</translation>
    </message>
    <message>
        <source>The account asks for more than it may at once.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das Konto verlangt mehr auf einmal, als es darf.</translation>
    </message>
    <message>
        <source>The account&apos;s quota for the model is used up.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das Kontingent des Kontos für das Modell ist aufgebraucht.</translation>
    </message>
    <message>
        <source>The address in HTTPS_PROXY is not one of an HTTP proxy.</source>
        <extracomment>transport/proxy.py</extracomment>
        <translation>Die Adresse in HTTPS_PROXY ist nicht die eines HTTP-Proxys.</translation>
    </message>
    <message>
        <source>The address of the gateway is not encrypted and leads to another computer.</source>
        <extracomment>transport/endpoint.py</extracomment>
        <translation>Die Adresse des Gateways ist nicht verschlüsselt und führt zu einem anderen Computer.</translation>
    </message>
    <message>
        <source>The address of the sign-in service is not one of an encrypted server.</source>
        <extracomment>transport/signin_http.py</extracomment>
        <translation>Die Adresse des Anmeldedienstes ist nicht die eines verschlüsselten Servers.</translation>
    </message>
    <message>
        <source>The answer of the sign-in service is not to this sign-in.</source>
        <extracomment>transport/signin_provider.py</extracomment>
        <translation>Die Antwort des Anmeldedienstes gehört nicht zu dieser Anmeldung.</translation>
    </message>
    <message>
        <source>The answer was cut off</source>
        <extracomment>ui/notices.py</extracomment>
        <translation>Die Antwort wurde abgeschnitten</translation>
    </message>
    <message>
        <source>The answer was interrupted</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Antwort wurde unterbrochen</translation>
    </message>
    <message>
        <source>The assistant hears itself. {way}</source>
        <extracomment>ui/sound_note.py</extracomment>
        <translation>Der Assistent hört sich selbst. {way}</translation>
    </message>
    <message>
        <source>The audio process could not be followed.</source>
        <extracomment>audio/client.py</extracomment>
        <translation>Dem Tonprozess war nicht zu folgen.</translation>
    </message>
    <message>
        <source>The audio process does not answer.</source>
        <extracomment>audio/client.py audio/lister.py</extracomment>
        <translation>Der Tonprozess antwortet nicht.</translation>
    </message>
    <message>
        <source>The audio process does not start in time.</source>
        <extracomment>audio/client.py</extracomment>
        <translation>Der Tonprozess startet nicht rechtzeitig.</translation>
    </message>
    <message>
        <source>The audio process does not start.</source>
        <extracomment>audio/child.py</extracomment>
        <translation>Der Tonprozess startet nicht.</translation>
    </message>
    <message>
        <source>The audio process has stopped.</source>
        <extracomment>audio/child.py</extracomment>
        <translation>Der Tonprozess ist stehen geblieben.</translation>
    </message>
    <message>
        <source>The audio process was ended while it started.</source>
        <extracomment>audio/client.py</extracomment>
        <translation>Der Tonprozess wurde beim Starten beendet.</translation>
    </message>
    <message>
        <source>The backup takes too long.</source>
        <extracomment>store/database.py</extracomment>
        <translation>Die Sicherung dauert zu lange.</translation>
    </message>
    <message>
        <source>The break has begun: no session is open</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Pause hat begonnen: keine Sitzung ist offen</translation>
    </message>
    <message>
        <source>The break is over</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Pause ist vorbei</translation>
    </message>
    <message>
        <source>The bundle cannot be written there ({why}).</source>
        <extracomment>app/bundling.py</extracomment>
        <translation>Das Paket lässt sich dort nicht schreiben ({why}).</translation>
    </message>
    <message>
        <source>The certificate bundle {file} is missing or holds no certificate.</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>Die Zertifikatsdatei {file} fehlt oder enthält kein Zertifikat.</translation>
    </message>
    <message>
        <source>The certificate of {host} is not trusted: {why}.</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>Dem Zertifikat von {host} wird nicht vertraut: {why}.</translation>
    </message>
    <message>
        <source>The change has to wait. {what} {advice}</source>
        <extracomment>conversation/renewal.py</extracomment>
        <translation>Die Änderung muss warten. {what} {advice}</translation>
    </message>
    <message>
        <source>The change is in force.</source>
        <extracomment>conversation/renewal.py</extracomment>
        <translation>Die Änderung gilt.</translation>
    </message>
    <message>
        <source>The change needs a new wire session. NovaDesk moves on to it in the next quiet moment.</source>
        <extracomment>conversation/renewal.py</extracomment>
        <translation>Die Änderung braucht eine neue Sitzung. NovaDesk wechselt im nächsten ruhigen Moment dorthin.</translation>
    </message>
    <message>
        <source>The clock of this computer is wrong, or the secret key is.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Uhr dieses Computers geht falsch, oder der geheime Schlüssel stimmt nicht.</translation>
    </message>
    <message>
        <source>The connection broke more than once within five minutes</source>
        <extracomment>conversation/quality.py</extracomment>
        <translation>Die Verbindung brach innerhalb von fünf Minuten mehrmals ab</translation>
    </message>
    <message>
        <source>The connection broke within the last five minutes</source>
        <extracomment>conversation/quality.py</extracomment>
        <translation>Die Verbindung brach in den letzten fünf Minuten ab</translation>
    </message>
    <message>
        <source>The connection broke.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Verbindung brach ab.</translation>
    </message>
    <message>
        <source>The connection did not come about in time.</source>
        <extracomment>transport/bedrock.py</extracomment>
        <translation>Die Verbindung kam nicht rechtzeitig zustande.</translation>
    </message>
    <message>
        <source>The connection is closed.</source>
        <extracomment>transport/bedrock.py transport/gateway.py transport/http2.py</extracomment>
        <translation>Die Verbindung ist geschlossen.</translation>
    </message>
    <message>
        <source>The connection to the gateway was lost.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Die Verbindung zum Gateway ist abgebrochen.</translation>
    </message>
    <message>
        <source>The connection was lost. NovaDesk connects again by itself.</source>
        <extracomment>ui/notices.py</extracomment>
        <translation>Die Verbindung ging verloren. NovaDesk verbindet von selbst wieder.</translation>
    </message>
    <message>
        <source>The connection was lost: NovaDesk made a mistake.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: NovaDesk hat einen Fehler gemacht.</translation>
    </message>
    <message>
        <source>The connection was lost: the network broke it.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: Das Netz hat sie unterbrochen.</translation>
    </message>
    <message>
        <source>The connection was lost: the server broke the rules of HTTP/2.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: Der Server hat die Regeln von HTTP/2 verletzt.</translation>
    </message>
    <message>
        <source>The connection was lost: the server closed it.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: Der Server hat sie geschlossen.</translation>
    </message>
    <message>
        <source>The connection was lost: the server does not read.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: Der Server liest nicht.</translation>
    </message>
    <message>
        <source>The connection was lost: the server ended it without an answer.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: Der Server hat sie ohne Antwort beendet.</translation>
    </message>
    <message>
        <source>The connection was lost: the server gives no sign of life.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: Der Server gibt kein Lebenszeichen.</translation>
    </message>
    <message>
        <source>The connection was lost: the server reset it, {code}.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: Der Server hat sie zurückgesetzt, {code}.</translation>
    </message>
    <message>
        <source>The connection was lost: the server went away, {code}.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Die Verbindung ging verloren: Der Server ist weggegangen, {code}.</translation>
    </message>
    <message>
        <source>The connection was lost; connecting again</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Verbindung ging verloren; verbindet neu</translation>
    </message>
    <message>
        <source>The conversation has stopped.</source>
        <extracomment>ui/notices.py</extracomment>
        <translation>Das Gespräch ist angehalten.</translation>
    </message>
    <message>
        <source>The conversation hears {microphone}.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Das Gespräch hört {microphone}.</translation>
    </message>
    <message>
        <source>The conversation was deleted, or never was on this computer.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das Gespräch wurde gelöscht oder war nie auf diesem Computer.</translation>
    </message>
    <message>
        <source>The conversation was ended</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Das Gespräch wurde beendet</translation>
    </message>
    <message>
        <source>The conversation {label} is open</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Das Gespräch {label} ist offen</translation>
    </message>
    <message>
        <source>The conversations&apos; file is damaged, and no recovery copy is whole.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Datei der Gespräche ist beschädigt, und keine Sicherungskopie ist heil.</translation>
    </message>
    <message>
        <source>The conversations&apos; file, or its folder, cannot be written.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Datei der Gespräche oder ihr Ordner ist nicht beschreibbar.</translation>
    </message>
    <message>
        <source>The copy {file} cannot be made: {why}.</source>
        <extracomment>store/copies.py</extracomment>
        <translation>Die Kopie {file} lässt sich nicht anlegen: {why}.</translation>
    </message>
    <message>
        <source>The correction is shown, searched and exported here. The assistant still knows what it heard.</source>
        <extracomment>ui/correct_dialog.py</extracomment>
        <translation>Die Berichtigung wird hier gezeigt, durchsucht und exportiert. Der Assistent kennt weiter, was er gehört hat.</translation>
    </message>
    <message>
        <source>The desktop asks which key to use: answer in its window.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Das System fragt nach der Taste: in seinem Fenster antworten.</translation>
    </message>
    <message>
        <source>The desktop did not let NovaDesk watch a key in time.</source>
        <extracomment>app/talkkey.py</extracomment>
        <translation>Das System hat NovaDesk nicht rechtzeitig eine Taste gegeben.</translation>
    </message>
    <message>
        <source>The desktop does not answer when it is asked for keys.</source>
        <extracomment>desktop/hotkeys/portalbus.py</extracomment>
        <translation>Das System antwortet nicht, wenn es nach Tasten gefragt wird.</translation>
    </message>
    <message>
        <source>The desktop does not give NovaDesk the talk key everywhere.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das System gibt NovaDesk die Sprechtaste nicht überall.</translation>
    </message>
    <message>
        <source>The desktop gives keys only to programs of its menu: copy io.github.novadesk.NovaDesk.desktop to ~/.local/share/applications.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Das System gibt nur Programmen aus seinem Menü Tasten: io.github.novadesk.NovaDesk.desktop nach ~/.local/share/applications kopieren.</translation>
    </message>
    <message>
        <source>The desktop gives no key and does not say why.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Das System gibt keine Taste und nennt keinen Grund.</translation>
    </message>
    <message>
        <source>The desktop has bound no key to mute: choose one for NovaDesk in its keyboard settings.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Zum Stummschalten ist keine Taste belegt: in den Tastatureinstellungen des Systems eine für NovaDesk wählen.</translation>
    </message>
    <message>
        <source>The desktop has bound no key to talk: choose one for NovaDesk in its keyboard settings.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Zum Sprechen ist keine Taste belegt: in den Tastatureinstellungen des Systems eine für NovaDesk wählen.</translation>
    </message>
    <message>
        <source>The desktop has bound no key yet: choose one for NovaDesk in its keyboard settings.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Noch ist keine Taste belegt: in den Tastatureinstellungen des Systems eine für NovaDesk wählen.</translation>
    </message>
    <message>
        <source>The desktop has no keyring yet.</source>
        <extracomment>desktop/keychain.py</extracomment>
        <translation>Das System hat noch keinen Schlüsselbund.</translation>
    </message>
    <message>
        <source>The desktop no longer gives NovaDesk its key.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Das System gibt NovaDesk seine Taste nicht mehr.</translation>
    </message>
    <message>
        <source>The desktop refuses to give a key ({why}).</source>
        <extracomment>desktop/hotkeys/portalbus.py</extracomment>
        <translation>Das System verweigert eine Taste ({why}).</translation>
    </message>
    <message>
        <source>The desktop stopped telling NovaDesk of keys during the test.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>Das System hat während des Tests aufgehört, NovaDesk Tasten zu melden.</translation>
    </message>
    <message>
        <source>The desktop was told not to give NovaDesk a key.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Dem System wurde gesagt, NovaDesk keine Taste zu geben.</translation>
    </message>
    <message>
        <source>The desktop&apos;s portal has ended, and the talk key with it.</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>Das Portal des Systems wurde beendet und mit ihm die Sprechtaste.</translation>
    </message>
    <message>
        <source>The details are in the clipboard.</source>
        <extracomment>ui/error_bar.py ui/note.py ui/start_error.py</extracomment>
        <translation>Die Einzelheiten sind in der Zwischenablage.</translation>
    </message>
    <message>
        <source>The devices are closed.</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Die Geräte sind geschlossen.</translation>
    </message>
    <message>
        <source>The disk is full: what is said cannot be saved.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Datenträger ist voll: Gesagtes lässt sich nicht speichern.</translation>
    </message>
    <message>
        <source>The disk that holds {file} is full.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Der Datenträger mit {file} ist voll.</translation>
    </message>
    <message>
        <source>The end of your turn</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Ende Ihres Beitrags</translation>
    </message>
    <message>
        <source>The export takes too long.</source>
        <extracomment>app/export_many.py</extracomment>
        <translation>Der Export dauert zu lange.</translation>
    </message>
    <message>
        <source>The file {file} cannot be used ({why}).</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Die Datei {file} ist nicht zu gebrauchen ({why}).</translation>
    </message>
    <message>
        <source>The file {file} cannot be written ({why}).</source>
        <extracomment>app/export.py</extracomment>
        <translation>Die Datei {file} lässt sich nicht schreiben ({why}).</translation>
    </message>
    <message>
        <source>The file {file} exists already.</source>
        <extracomment>app/export.py</extracomment>
        <translation>Die Datei {file} gibt es schon.</translation>
    </message>
    <message>
        <source>The file {file} is not UTF-8.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Die Datei {file} ist nicht UTF-8.</translation>
    </message>
    <message>
        <source>The file {file} is too large for a scenario.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Die Datei {file} ist zu groß für ein Szenario.</translation>
    </message>
    <message>
        <source>The file {name} holds no scenario.</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>Die Datei {name} enthält kein Szenario.</translation>
    </message>
    <message>
        <source>The first steps try the access, the microphone, the speaker and the talk key, whenever you want.</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Die ersten Schritte probieren Zugang, Mikrofon, Lautsprecher und Sprechtaste aus, wann immer Sie wollen.</translation>
    </message>
    <message>
        <source>The folder {folder} is not private to you.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>Der Ordner {folder} ist nicht nur für Sie zugänglich.</translation>
    </message>
    <message>
        <source>The form asks for this in words: give the field a label.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Das Formular fragt in Worten danach: Das Feld braucht eine Beschriftung.</translation>
    </message>
    <message>
        <source>The gateway did not answer in time.</source>
        <extracomment>transport/gateway_line.py</extracomment>
        <translation>Das Gateway hat nicht rechtzeitig geantwortet.</translation>
    </message>
    <message>
        <source>The gateway does not accept the token that was given.</source>
        <extracomment>transport/gateway_token.py</extracomment>
        <translation>Das Gateway nimmt das angegebene Token nicht an.</translation>
    </message>
    <message>
        <source>The gateway does not accept this sign-in.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway erkennt diese Anmeldung nicht an.</translation>
    </message>
    <message>
        <source>The gateway does not have this session any more.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway hat diese Sitzung nicht mehr.</translation>
    </message>
    <message>
        <source>The gateway does not know what this version asks for.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway kennt nicht, was diese Version verlangt.</translation>
    </message>
    <message>
        <source>The gateway does not reach the voice service.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway erreicht den Sprachdienst nicht.</translation>
    </message>
    <message>
        <source>The gateway does not speak this language.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway spricht diese Sprache nicht.</translation>
    </message>
    <message>
        <source>The gateway does not take the audio in time.</source>
        <extracomment>transport/gateway.py</extracomment>
        <translation>Das Gateway nimmt den Ton nicht rechtzeitig an.</translation>
    </message>
    <message>
        <source>The gateway does not take what this version says.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway nimmt nicht an, was diese Version sagt.</translation>
    </message>
    <message>
        <source>The gateway does not understand this version.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway versteht diese Version nicht.</translation>
    </message>
    <message>
        <source>The gateway ended the session.</source>
        <extracomment>transport/gateway_line.py</extracomment>
        <translation>Das Gateway hat die Sitzung beendet.</translation>
    </message>
    <message>
        <source>The gateway failed.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Im Gateway ist ein Fehler aufgetreten.</translation>
    </message>
    <message>
        <source>The gateway has no room for another session.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway hat keinen Platz für eine weitere Sitzung.</translation>
    </message>
    <message>
        <source>The gateway heard nothing from here for too long.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway hat zu lange nichts von hier gehört.</translation>
    </message>
    <message>
        <source>The gateway is being restarted.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway wird neu gestartet.</translation>
    </message>
    <message>
        <source>The gateway limits your requests.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway begrenzt Ihre Anfragen.</translation>
    </message>
    <message>
        <source>The gateway refuses the session&apos;s settings.</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Das Gateway lehnt die Einstellungen der Sitzung ab.</translation>
    </message>
    <message>
        <source>The instructions do not name {{{name}}} yet. Insert it.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Die Anweisungen nennen {{{name}}} noch nicht. Einfügen.</translation>
    </message>
    <message>
        <source>The instructions name {{{name}}}, which is no field of the form.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Die Anweisungen nennen {{{name}}}, das kein Feld des Formulars ist.</translation>
    </message>
    <message>
        <source>The instructions take at most {most} characters.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Die Anweisungen fassen höchstens {most} Zeichen.</translation>
    </message>
    <message>
        <source>The key works in NovaDesk&apos;s window only: the desktop does not tell of it elsewhere.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>Die Taste wirkt nur im Fenster von NovaDesk: Anderswo meldet das System sie nicht.</translation>
    </message>
    <message>
        <source>The key works in every window: NovaDesk hears when it goes down and when it comes up.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>Die Taste wirkt in jedem Fenster: NovaDesk hört, wenn sie gedrückt und wenn sie losgelassen wird.</translation>
    </message>
    <message>
        <source>The key “{key}” cannot both talk and mute.</source>
        <extracomment>chord.py</extracomment>
        <translation>Die Taste „{key}“ kann nicht sprechen und zugleich stummschalten.</translation>
    </message>
    <message>
        <source>The keyring does not answer.</source>
        <extracomment>desktop/keychain.py store/registry.py</extracomment>
        <translation>Der Schlüsselbund antwortet nicht.</translation>
    </message>
    <message>
        <source>The keyring does not answer; its dialog may wait behind a window.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Schlüsselbund antwortet nicht; vielleicht wartet sein Dialog hinter einem Fenster.</translation>
    </message>
    <message>
        <source>The keyring does not let NovaDesk in.</source>
        <extracomment>catalogue.py desktop/keychain.py</extracomment>
        <translation>Der Schlüsselbund lässt NovaDesk nicht zu.</translation>
    </message>
    <message>
        <source>The keyring does not take the sign-in.</source>
        <extracomment>transport/gateway_account.py</extracomment>
        <translation>Der Schlüsselbund nimmt die Anmeldung nicht auf.</translation>
    </message>
    <message>
        <source>The keyring is locked.</source>
        <extracomment>catalogue.py desktop/keychain.py</extracomment>
        <translation>Der Schlüsselbund ist gesperrt.</translation>
    </message>
    <message>
        <source>The keys may not use the model, or AWS does not know them.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Schlüssel dürfen das Modell nicht benutzen, oder AWS kennt sie nicht.</translation>
    </message>
    <message>
        <source>The keys may not use the remote session store; conversations stay here.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Schlüssel dürfen den entfernten Sitzungsspeicher nicht benutzen; Gespräche bleiben hier.</translation>
    </message>
    <message>
        <source>Use the token</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Token verwenden</translation>
    </message>
    <message>
        <source>{voice}, from the next connection on</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>{voice}, ab der nächsten Sitzung</translation>
    </message>
    <message>
        <source>The last answer came in {s} s</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Die letzte Antwort kam in {s} s</translation>
    </message>
    <message>
        <source>Address, such as wss://voice.example.com</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Adresse, zum Beispiel wss://voice.example.com</translation>
    </message>
    <message>
        <source>Asking for a code…</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Ein Code wird erfragt …</translation>
    </message>
    <message>
        <source>Code to enter: {code}</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Einzugebender Code: {code}</translation>
    </message>
    <message>
        <source>Go to {address} and enter the code {code}.</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>{address} aufrufen und den Code {code} eingeben.</translation>
    </message>
    <message>
        <source>No browser opens. The address of the page is in the clipboard.</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Kein Browser öffnet sich. Die Adresse der Seite ist in der Zwischenablage.</translation>
    </message>
    <message>
        <source>One moment…</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Einen Moment …</translation>
    </message>
    <message>
        <source>Or paste a token</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Oder ein Token einfügen</translation>
    </message>
    <message>
        <source>Set AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME or [backend] agent_runtime_endpoint to https://HOST, or leave it empty.</source>
        <extracomment>app/remote.py</extracomment>
        <translation>AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME oder [backend] agent_runtime_endpoint auf https://RECHNER setzen oder leer lassen.</translation>
    </message>
    <message>
        <source>The address of the update feed is not one of an encrypted server.</source>
        <extracomment>transport/feed_http.py</extracomment>
        <translation>Die Adresse des Update-Feeds ist nicht die eines verschlüsselten Servers.</translation>
    </message>
    <message>
        <source>The address {address} is not encrypted and leads to another computer.</source>
        <extracomment>transport/endpoint.py</extracomment>
        <translation>Die Adresse {address} ist nicht verschlüsselt und führt zu einem anderen Computer.</translation>
    </message>
    <message>
        <source>The library that draws the window is missing or does not load.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Bibliothek, die das Fenster zeichnet, fehlt oder lässt sich nicht laden.</translation>
    </message>
    <message>
        <source>The log cannot be written there ({why}). Choose another place.</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Das Protokoll lässt sich dort nicht schreiben ({why}). Einen anderen Ort wählen.</translation>
    </message>
    <message>
        <source>The microphone brings no sound at all.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Das Mikrofon bringt gar keinen Ton.</translation>
    </message>
    <message>
        <source>The microphone brings no sound, and there is no other. Connect it again; until then you can type and listen.</source>
        <extracomment>conversation/microphone.py</extracomment>
        <translation>Das Mikrofon bringt keinen Ton, und ein anderes gibt es nicht. Neu anschließen; bis dahin geht Schreiben und Zuhören.</translation>
    </message>
    <message>
        <source>The microphone brings nothing, not even silence. Plug it in again, or choose another one.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Das Mikrofon bringt nichts, nicht einmal Stille. Neu anschließen oder ein anderes wählen.</translation>
    </message>
    <message>
        <source>The microphone does not hear the speaker. Your voice can be passed on as it is.</source>
        <extracomment>app/soundcheck.py</extracomment>
        <translation>Das Mikrofon hört den Lautsprecher nicht. Ihre Stimme kann unverändert weitergehen.</translation>
    </message>
    <message>
        <source>The microphone does not open in time.</source>
        <extracomment>audio/client.py</extracomment>
        <translation>Das Mikrofon öffnet sich nicht rechtzeitig.</translation>
    </message>
    <message>
        <source>The microphone hears only you; your voice is passed on as it is.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Das Mikrofon hört nur Sie; Ihre Stimme geht unverändert weiter.</translation>
    </message>
    <message>
        <source>The microphone hears the speaker. NovaDesk takes its own voice out, so you can still cut in.</source>
        <extracomment>app/soundcheck.py</extracomment>
        <translation>Das Mikrofon hört den Lautsprecher. NovaDesk rechnet die eigene Stimme heraus, Sie können also unterbrechen.</translation>
    </message>
    <message>
        <source>The microphone hears them too; NovaDesk takes its own voice out, so you can still cut in.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Das Mikrofon hört sie mit; NovaDesk rechnet die eigene Stimme heraus, Sie können also unterbrechen.</translation>
    </message>
    <message>
        <source>The microphone hears you: {microphone}.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Das Mikrofon hört Sie: {microphone}.</translation>
    </message>
    <message>
        <source>The microphone is closed.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Das Mikrofon ist geschlossen.</translation>
    </message>
    <message>
        <source>The microphone is switched off. Unmute it with its own switch, or in the system&apos;s settings.</source>
        <extracomment>conversation/microphone.py</extracomment>
        <translation>Das Mikrofon ist ausgeschaltet. Am Gerät oder in den Systemeinstellungen einschalten.</translation>
    </message>
    <message>
        <source>The microphone is switched off. Unmute it, there or in the system&apos;s settings.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Das Mikrofon ist ausgeschaltet. Am Gerät oder in den Systemeinstellungen einschalten.</translation>
    </message>
    <message>
        <source>The microphone is too loud and distorts. Lower its level in the system&apos;s settings.</source>
        <extracomment>conversation/microphone.py</extracomment>
        <translation>Das Mikrofon ist zu laut und verzerrt. Den Pegel in den Systemeinstellungen senken.</translation>
    </message>
    <message>
        <source>The microphone is very quiet. Speak closer to it, or raise its level in the system.</source>
        <extracomment>conversation/microphone.py</extracomment>
        <translation>Das Mikrofon ist sehr leise. Näher sprechen oder den Pegel im System erhöhen.</translation>
    </message>
    <message>
        <source>The microphone is {name}</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Das Mikrofon ist {name}</translation>
    </message>
    <message>
        <source>The microphone sends exact silence. Look for a mute switch on it, then try again.</source>
        <extracomment>app/soundcheck.py</extracomment>
        <translation>Das Mikrofon sendet völlige Stille. Nach einem Stummschalter sehen, dann noch einmal versuchen.</translation>
    </message>
    <message>
        <source>The microphone sends exact silence. Look for a mute switch on it.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Das Mikrofon sendet völlige Stille. Hat es einen Stummschalter?</translation>
    </message>
    <message>
        <source>The microphone sends exact silence. Look for a switch on it, or choose another one in Settings.</source>
        <extracomment>conversation/microphone.py</extracomment>
        <translation>Das Mikrofon sendet völlige Stille. Hat es einen Schalter? Sonst in den Einstellungen ein anderes wählen.</translation>
    </message>
    <message>
        <source>The microphone sends nothing.</source>
        <extracomment>app/soundcheck.py</extracomment>
        <translation>Das Mikrofon sendet nichts.</translation>
    </message>
    <message>
        <source>The microphone was changed to “{device}” in the system&apos;s sound settings.</source>
        <extracomment>audio/route.py</extracomment>
        <translation>Das Mikrofon wurde in den Systemeinstellungen auf „{device}“ umgestellt.</translation>
    </message>
    <message>
        <source>The microphone “{device}” brings no sound at all.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Das Mikrofon „{device}“ bringt gar keinen Ton.</translation>
    </message>
    <message>
        <source>The microphone “{device}” brings no sound at all; using “{other}”.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Das Mikrofon „{device}“ bringt gar keinen Ton; benutzt wird „{other}“.</translation>
    </message>
    <message>
        <source>The microphone “{device}” does not open ({cause}).</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>Das Mikrofon „{device}“ öffnet sich nicht ({cause}).</translation>
    </message>
    <message>
        <source>The microphone “{device}” does not open; using “{other}”.</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>Das Mikrofon „{device}“ öffnet sich nicht; benutzt wird „{other}“.</translation>
    </message>
    <message>
        <source>The microphone “{device}” is not connected; using “{other}”.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Das Mikrofon „{device}“ ist nicht angeschlossen; benutzt wird „{other}“.</translation>
    </message>
    <message>
        <source>The model</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Das Modell</translation>
    </message>
    <message>
        <source>The model failed, or is short of capacity.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das Modell ist ausgefallen oder überlastet.</translation>
    </message>
    <message>
        <source>The model waits for a tool</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Das Modell wartet auf ein Werkzeug</translation>
    </message>
    <message>
        <source>The model&apos;s name is none of Nova Sonic.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Modellname ist keiner von Nova Sonic.</translation>
    </message>
    <message>
        <source>The network hardly takes the sound: words may be lost</source>
        <extracomment>conversation/quality.py</extracomment>
        <translation>Das Netz nimmt den Ton kaum an: Wörter können verloren gehen</translation>
    </message>
    <message>
        <source>The network library took too long to load.</source>
        <extracomment>transport/gateway.py</extracomment>
        <translation>Die Netzwerkbibliothek hat zu lange zum Laden gebraucht.</translation>
    </message>
    <message>
        <source>The network takes sound late: answers come late too</source>
        <extracomment>conversation/quality.py</extracomment>
        <translation>Das Netz nimmt den Ton spät an: Auch Antworten kommen spät</translation>
    </message>
    <message>
        <source>The other side did not answer in time.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Gegenseite hat nicht rechtzeitig geantwortet.</translation>
    </message>
    <message>
        <source>The partner may ask this computer for date and time; nothing else is offered to it.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Das Gegenüber darf diesen Computer nach Datum und Uhrzeit fragen; sonst nichts.</translation>
    </message>
    <message>
        <source>The permissions are in the clipboard, as an IAM policy.</source>
        <extracomment>ui/remedies.py</extracomment>
        <translation>Die Rechte sind als IAM-Richtlinie in der Zwischenablage.</translation>
    </message>
    <message>
        <source>The practice partner gave no usable address.</source>
        <extracomment>transport/bedrock.py</extracomment>
        <translation>Der Übungspartner hat keine brauchbare Adresse genannt.</translation>
    </message>
    <message>
        <source>The practice partner is on this computer and needs no account.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Der Übungspartner ist auf diesem Computer und braucht kein Konto.</translation>
    </message>
    <message>
        <source>The practice partner on this computer does not start or has ended.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Übungspartner auf diesem Computer startet nicht oder wurde beendet.</translation>
    </message>
    <message>
        <source>The practice partner&apos;s parts are not installed: {parts}.</source>
        <extracomment>app/access.py</extracomment>
        <translation>Teile des Übungspartners sind nicht installiert: {parts}.</translation>
    </message>
    <message>
        <source>The practice partner&apos;s voice and ears are not installed.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Stimme und Gehör des Übungspartners sind nicht installiert.</translation>
    </message>
    <message>
        <source>The practice server did not start.</source>
        <extracomment>app/practice.py</extracomment>
        <translation>Der Übungspartner ist nicht gestartet.</translation>
    </message>
    <message>
        <source>The proxy does not lead to {host}.</source>
        <extracomment>transport/webway.py</extracomment>
        <translation>Der Proxy führt nicht zu {host}.</translation>
    </message>
    <message>
        <source>The proxy of HTTPS_PROXY refuses the connection.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Proxy aus HTTPS_PROXY weist die Verbindung ab.</translation>
    </message>
    <message>
        <source>The proxy refuses the connection.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Der Proxy weist die Verbindung ab.</translation>
    </message>
    <message>
        <source>The proxy {host} wants a name and password.</source>
        <extracomment>transport/proxy.py</extracomment>
        <translation>Der Proxy {host} verlangt Name und Passwort.</translation>
    </message>
    <message>
        <source>The proxy {proxy} answered with something that is not HTTP.</source>
        <extracomment>transport/proxy.py</extracomment>
        <translation>Der Proxy {proxy} hat mit etwas geantwortet, das nicht HTTP ist.</translation>
    </message>
    <message>
        <source>The proxy {proxy} broke the connection.</source>
        <extracomment>transport/proxy.py</extracomment>
        <translation>Der Proxy {proxy} hat die Verbindung unterbrochen.</translation>
    </message>
    <message>
        <source>The proxy {proxy} closed the connection without an answer.</source>
        <extracomment>transport/proxy.py</extracomment>
        <translation>Der Proxy {proxy} hat die Verbindung ohne Antwort geschlossen.</translation>
    </message>
    <message>
        <source>The proxy {proxy} does not connect to {host} (status {status}).</source>
        <extracomment>transport/proxy.py</extracomment>
        <translation>Der Proxy {proxy} verbindet nicht mit {host} (Status {status}).</translation>
    </message>
    <message>
        <source>The region does not offer the model.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Region bietet das Modell nicht an.</translation>
    </message>
    <message>
        <source>The remote session of a conversation is gone or is full.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die entfernte Sitzung eines Gesprächs ist weg oder voll.</translation>
    </message>
    <message>
        <source>The remote session store asks to slow down.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Der entfernte Sitzungsspeicher bittet um weniger Anfragen.</translation>
    </message>
    <message>
        <source>The remote session store has a fault of its own.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Der entfernte Sitzungsspeicher hat selbst eine Störung.</translation>
    </message>
    <message>
        <source>The remote session store keeps refusing a step.</source>
        <extracomment>store/delivery.py</extracomment>
        <translation>Der entfernte Sitzungsspeicher weist einen Schritt immer wieder zurück.</translation>
    </message>
    <message>
        <source>The remote session store refuses the encryption key.</source>
        <extracomment>store/agentruntime.py</extracomment>
        <translation>Der entfernte Sitzungsspeicher weist den Schlüssel zur Verschlüsselung zurück.</translation>
    </message>
    <message>
        <source>The remote session store refuses the request.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Der entfernte Sitzungsspeicher weist die Anfrage zurück.</translation>
    </message>
    <message>
        <source>The remote session store shows a certificate that is not trusted.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Der entfernte Sitzungsspeicher zeigt ein Zertifikat, dem nicht vertraut wird.</translation>
    </message>
    <message>
        <source>The remote session store takes too long to answer.</source>
        <extracomment>app/access.py</extracomment>
        <translation>Der entfernte Sitzungsspeicher antwortet zu langsam.</translation>
    </message>
    <message>
        <source>The remote session store would refuse the request.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Der entfernte Sitzungsspeicher würde die Anfrage zurückweisen.</translation>
    </message>
    <message>
        <source>The report cannot be written ({why}).</source>
        <extracomment>app/diagnosis.py</extracomment>
        <translation>Der Bericht lässt sich nicht schreiben ({why}).</translation>
    </message>
    <message>
        <source>The report cannot be written there ({why}). Choose another place.</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>Der Bericht lässt sich dort nicht schreiben ({why}). Einen anderen Ort wählen.</translation>
    </message>
    <message>
        <source>The report is in the clipboard.</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>Der Bericht ist in der Zwischenablage.</translation>
    </message>
    <message>
        <source>The report is in the clipboard. Read it before you send it.</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Der Bericht liegt in der Zwischenablage. Vor dem Senden lesen.</translation>
    </message>
    <message>
        <source>The request is too long for the control channel.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>Die Anfrage ist zu lang für den Steuerkanal.</translation>
    </message>
    <message>
        <source>The running NovaDesk belongs to another user.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>Das laufende NovaDesk gehört einem anderen Benutzer.</translation>
    </message>
    <message>
        <source>The running NovaDesk does not take the command.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das laufende NovaDesk nimmt den Befehl nicht an.</translation>
    </message>
    <message>
        <source>The scenario is {title}</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Das Szenario ist {title}</translation>
    </message>
    <message>
        <source>The scenarios could not be read in time.</source>
        <extracomment>app/scenarioshelf.py</extracomment>
        <translation>Die Szenarien ließen sich nicht rechtzeitig lesen.</translation>
    </message>
    <message>
        <source>The server&apos;s certificate is not trusted here, as behind a checking proxy.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Dem Zertifikat des Servers wird hier nicht vertraut, etwa hinter einem prüfenden Proxy.</translation>
    </message>
    <message>
        <source>The service answered without a stream.</source>
        <extracomment>transport/sdk.py</extracomment>
        <translation>Der Dienst hat ohne Datenstrom geantwortet.</translation>
    </message>
    <message>
        <source>The service did not answer in time.</source>
        <extracomment>app/talkcourse.py conversation/lifecycle.py</extracomment>
        <translation>Der Dienst hat nicht rechtzeitig geantwortet.</translation>
    </message>
    <message>
        <source>The service did not answer within {s} seconds.</source>
        <extracomment>transport/http2.py</extracomment>
        <translation>Der Dienst hat nicht innerhalb von {s} Sekunden geantwortet.</translation>
    </message>
    <message>
        <source>The service did not answer.</source>
        <extracomment>app/access.py</extracomment>
        <translation>Der Dienst hat nicht geantwortet.</translation>
    </message>
    <message>
        <source>The service did not begin the session in time.</source>
        <extracomment>transport/failures.py</extracomment>
        <translation>Der Dienst hat die Sitzung nicht rechtzeitig begonnen.</translation>
    </message>
    <message>
        <source>The service did not confirm the pause. Nothing is sent to it any more.</source>
        <extracomment>conversation/controller.py</extracomment>
        <translation>Der Dienst hat die Pause nicht bestätigt. Ihm wird nichts mehr gesendet.</translation>
    </message>
    <message>
        <source>The service does not take the audio in time.</source>
        <extracomment>transport/bedrock.py</extracomment>
        <translation>Der Dienst nimmt den Ton nicht rechtzeitig ab.</translation>
    </message>
    <message>
        <source>The service does not take the voice, the prompt or another setting.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Dienst nimmt die Stimme, den Prompt oder eine andere Einstellung nicht an.</translation>
    </message>
    <message>
        <source>The service does not work at the moment.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Dienst funktioniert zurzeit nicht.</translation>
    </message>
    <message>
        <source>The service ended the session.</source>
        <extracomment>catalogue.py conversation/wire.py transport/bedrock.py</extracomment>
        <translation>Der Dienst hat die Sitzung beendet.</translation>
    </message>
    <message>
        <source>The service failed (status {status}).</source>
        <extracomment>transport/failures.py</extracomment>
        <translation>Der Dienst ist gescheitert (Status {status}).</translation>
    </message>
    <message>
        <source>The service has no setting for it: the instructions ask for it.</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>Der Dienst hat keine Einstellung dafür: Die Anweisungen bitten darum.</translation>
    </message>
    <message>
        <source>The service has taken voice and instructions: {voice}</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Der Dienst hat Stimme und Anweisungen übernommen: {voice}</translation>
    </message>
    <message>
        <source>The service heard nothing for too long and ended the session.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Dienst hat zu lange nichts gehört und die Sitzung beendet.</translation>
    </message>
    <message>
        <source>The service limits this account&apos;s requests.</source>
        <extracomment>transport/failures.py</extracomment>
        <translation>Der Dienst begrenzt die Anfragen dieses Kontos.</translation>
    </message>
    <message>
        <source>The service listens</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Der Dienst hört zu</translation>
    </message>
    <message>
        <source>The service refuses the request (status {status}).</source>
        <extracomment>transport/failures.py</extracomment>
        <translation>Der Dienst weist die Anfrage zurück (Status {status}).</translation>
    </message>
    <message>
        <source>The service sent events in an impossible order.</source>
        <extracomment>conversation/wire.py</extracomment>
        <translation>Der Dienst hat Ereignisse in unmöglicher Reihenfolge gesendet.</translation>
    </message>
    <message>
        <source>The service thinks</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Der Dienst denkt nach</translation>
    </message>
    <message>
        <source>The service waits whether you go on. A shorter pause can be set in Settings.</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Der Dienst wartet, ob Sie weitersprechen. Die Pause lässt sich in den Einstellungen verkürzen.</translation>
    </message>
    <message>
        <source>The session is being renewed</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Sitzung wird erneuert</translation>
    </message>
    <message>
        <source>The session is open</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Sitzung ist offen</translation>
    </message>
    <message>
        <source>The session stopped</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Sitzung wurde angehalten</translation>
    </message>
    <message>
        <source>The session was renewed; this was number {n}</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Sitzung wurde erneuert, zum {n}. Mal</translation>
    </message>
    <message>
        <source>The settings are as they were before.</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Die Einstellungen sind wie zuvor.</translation>
    </message>
    <message>
        <source>The settings are in {file}.</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Die Einstellungen sind in {file}.</translation>
    </message>
    <message>
        <source>The settings cannot be written ({why}); they hold until NovaDesk ends. Make room for them.</source>
        <extracomment>app/settings_keeper.py</extracomment>
        <translation>Die Einstellungen lassen sich nicht schreiben ({why}); sie gelten, bis NovaDesk endet. Platz dafür schaffen.</translation>
    </message>
    <message>
        <source>The settings cannot be written ({why}); they hold until NovaDesk ends. Make their folder writable.</source>
        <extracomment>app/settings_keeper.py</extracomment>
        <translation>Die Einstellungen lassen sich nicht schreiben ({why}); sie gelten, bis NovaDesk endet. Den Ordner schreibbar machen.</translation>
    </message>
    <message>
        <source>The settings file names what this version does not know: {names}. It is kept.</source>
        <extracomment>settings_file.py</extracomment>
        <translation>Die Einstellungsdatei nennt, was diese Version nicht kennt: {names}. Es bleibt stehen.</translation>
    </message>
    <message>
        <source>The settings file was broken. It is kept as {name}, beside the new one.</source>
        <extracomment>app/settings_keeper.py</extracomment>
        <translation>Die Einstellungsdatei war kaputt. Sie liegt als {name} neben der neuen.</translation>
    </message>
    <message>
        <source>The settings file {file} {why}.</source>
        <extracomment>config.py</extracomment>
        <translation>Die Einstellungsdatei {file} {why}.</translation>
    </message>
    <message>
        <source>The settings hold a value that NovaDesk does not know.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Einstellungen enthalten einen Wert, den NovaDesk nicht kennt.</translation>
    </message>
    <message>
        <source>The short sounds that tell when it listens and when something fails.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Die kurzen Töne, die sagen, wann es zuhört und wann etwas scheitert.</translation>
    </message>
    <message>
        <source>The sign-in at the gateway has expired.</source>
        <extracomment>transport/gateway_failures.py transport/signin_provider.py</extracomment>
        <translation>Die Anmeldung am Gateway ist abgelaufen.</translation>
    </message>
    <message>
        <source>The sign-in is remembered for this run only.</source>
        <extracomment>transport/gateway_account.py</extracomment>
        <translation>Die Anmeldung gilt nur, bis NovaDesk endet.</translation>
    </message>
    <message>
        <source>The sign-in service answered with status {status}.</source>
        <extracomment>transport/signin_provider.py</extracomment>
        <translation>Der Anmeldedienst hat mit Status {status} geantwortet.</translation>
    </message>
    <message>
        <source>The sign-in service answered with too much.</source>
        <extracomment>transport/signin_http.py</extracomment>
        <translation>Der Anmeldedienst hat mit zu viel geantwortet.</translation>
    </message>
    <message>
        <source>The sign-in service has nothing to sign in with.</source>
        <extracomment>transport/signin_provider.py</extracomment>
        <translation>Der Anmeldedienst hat nichts, womit man sich anmelden kann.</translation>
    </message>
    <message>
        <source>The sign-in service is another one than the gateway says.</source>
        <extracomment>transport/signin_provider.py</extracomment>
        <translation>Der Anmeldedienst ist ein anderer, als das Gateway sagt.</translation>
    </message>
    <message>
        <source>The sign-in service refuses NovaDesk ({error}).</source>
        <extracomment>transport/gateway_account.py transport/signin_browser.py</extracomment>
        <translation>Der Anmeldedienst weist NovaDesk ab ({error}).</translation>
    </message>
    <message>
        <source>The sign-in to AWS did not work.</source>
        <extracomment>app/signin.py</extracomment>
        <translation>Die Anmeldung bei AWS ist nicht gelungen.</translation>
    </message>
    <message>
        <source>The sign-in to AWS, or its temporary keys, are over.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Anmeldung bei AWS ist abgelaufen, oder ihre Schlüssel auf Zeit sind es.</translation>
    </message>
    <message>
        <source>The sign-in was refused.</source>
        <extracomment>transport/signin_browser.py</extracomment>
        <translation>Die Anmeldung wurde verweigert.</translation>
    </message>
    <message>
        <source>The sound device does not open in time.</source>
        <extracomment>audio/client.py</extracomment>
        <translation>Das Tongerät öffnet sich nicht rechtzeitig.</translation>
    </message>
    <message>
        <source>The sound device has stopped delivering sound.</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>Das Tongerät liefert keinen Ton mehr.</translation>
    </message>
    <message>
        <source>The sound library PortAudio is missing.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Die Tonbibliothek PortAudio fehlt.</translation>
    </message>
    <message>
        <source>The sound service of the system does not run or does not answer.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Der Tonserver des Systems läuft nicht oder antwortet nicht.</translation>
    </message>
    <message>
        <source>The speaker does not open in time.</source>
        <extracomment>audio/client.py</extracomment>
        <translation>Der Lautsprecher öffnet sich nicht rechtzeitig.</translation>
    </message>
    <message>
        <source>The speaker does not play.</source>
        <extracomment>app/soundcheck.py</extracomment>
        <translation>Der Lautsprecher spielt nicht.</translation>
    </message>
    <message>
        <source>The speaker drowns your voice in the microphone. Turn it down, use a headset, or take turns.</source>
        <extracomment>app/soundcheck.py</extracomment>
        <translation>Der Lautsprecher übertönt Ihre Stimme im Mikrofon. Leiser stellen, ein Headset benutzen oder abwechseln.</translation>
    </message>
    <message>
        <source>The speaker is {name}</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Der Lautsprecher ist {name}</translation>
    </message>
    <message>
        <source>The speaker reaches the microphone {n} dB louder than your voice. Turn the volume down, or use a headset.</source>
        <extracomment>conversation/talkover.py</extracomment>
        <translation>Der Lautsprecher kommt {n} dB lauter im Mikrofon an als Ihre Stimme. Leiser stellen oder ein Headset benutzen.</translation>
    </message>
    <message>
        <source>The speaker reaches the microphone {n} dB louder than your voice. {way}</source>
        <extracomment>ui/sound_note.py</extracomment>
        <translation>Der Lautsprecher kommt {n} dB lauter im Mikrofon an als Ihre Stimme. {way}</translation>
    </message>
    <message>
        <source>The speaker takes no sound any more.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Der Lautsprecher nimmt keinen Ton mehr an.</translation>
    </message>
    <message>
        <source>The speaker was changed to “{device}” in the system&apos;s sound settings.</source>
        <extracomment>audio/route.py</extracomment>
        <translation>Der Lautsprecher wurde in den Systemeinstellungen auf „{device}“ umgestellt.</translation>
    </message>
    <message>
        <source>The speaker “{device}” does not open ({cause}).</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>Der Lautsprecher „{device}“ öffnet sich nicht ({cause}).</translation>
    </message>
    <message>
        <source>The speaker “{device}” does not open; using “{other}”.</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>Der Lautsprecher „{device}“ öffnet sich nicht; benutzt wird „{other}“.</translation>
    </message>
    <message>
        <source>The speaker “{device}” is not connected; using “{other}”.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Der Lautsprecher „{device}“ ist nicht angeschlossen; benutzt wird „{other}“.</translation>
    </message>
    <message>
        <source>The speaker “{device}” takes no sound any more.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Der Lautsprecher „{device}“ nimmt keinen Ton mehr an.</translation>
    </message>
    <message>
        <source>The speaker “{device}” takes no sound any more; using “{other}”.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Der Lautsprecher „{device}“ nimmt keinen Ton mehr an; benutzt wird „{other}“.</translation>
    </message>
    <message>
        <source>The store is closed.</source>
        <extracomment>store/database.py</extracomment>
        <translation>Der Speicher ist geschlossen.</translation>
    </message>
    <message>
        <source>The store {file} cannot be opened: {why}.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Der Speicher {file} lässt sich nicht öffnen: {why}.</translation>
    </message>
    <message>
        <source>The store {file} cannot be read or written.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Der Speicher {file} lässt sich nicht lesen oder schreiben.</translation>
    </message>
    <message>
        <source>The store {file} is damaged.</source>
        <extracomment>store/faults.py</extracomment>
        <translation>Der Speicher {file} ist beschädigt.</translation>
    </message>
    <message>
        <source>The store {file} was written by a newer NovaDesk.</source>
        <extracomment>store/database.py</extracomment>
        <translation>Der Speicher {file} stammt von einem neueren NovaDesk.</translation>
    </message>
    <message>
        <source>The system does not let NovaDesk start with the session.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das System lässt NovaDesk nicht bei der Anmeldung starten.</translation>
    </message>
    <message>
        <source>The system gives the speaker&apos;s own sound in place of a microphone. Connect the microphone, or choose another.</source>
        <extracomment>conversation/microphone.py</extracomment>
        <translation>Das System gibt statt eines Mikrofons den Ton des Lautsprechers. Das Mikrofon anschließen oder ein anderes wählen.</translation>
    </message>
    <message>
        <source>The system has no keyring.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Das System hat keinen Schlüsselbund.</translation>
    </message>
    <message>
        <source>The system&apos;s certificates took too long to read.</source>
        <extracomment>transport/bedrock.py transport/gateway.py</extracomment>
        <translation>Die Zertifikate des Systems zu lesen hat zu lange gedauert.</translation>
    </message>
    <message>
        <source>The talk button and Space do the same.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Gilt auch für den Sprechknopf und die Leertaste.</translation>
    </message>
    <message>
        <source>The test is over; the microphone is closed.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Der Test ist vorbei, das Mikrofon geschlossen.</translation>
    </message>
    <message>
        <source>The test was stopped.</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>Der Test wurde angehalten.</translation>
    </message>
    <message>
        <source>The trouble is over</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Die Störung ist vorbei</translation>
    </message>
    <message>
        <source>The update feed cannot be read: {why}.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed ist nicht lesbar: {why}.</translation>
    </message>
    <message>
        <source>The update feed does not fit its signature.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed passt nicht zu seiner Signatur.</translation>
    </message>
    <message>
        <source>The update feed has expired on {date}: somebody may be holding newer ones back.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed ist am {date} abgelaufen: Vielleicht hält jemand neuere zurück.</translation>
    </message>
    <message>
        <source>The update feed is dated {date}, which has not come yet.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed trägt das Datum {date}, das noch nicht gekommen ist.</translation>
    </message>
    <message>
        <source>The update feed is for the channel “{channel}”, not for “{own}”.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed ist für den Kanal „{channel}“, nicht für „{own}“.</translation>
    </message>
    <message>
        <source>The update feed is larger than one can be.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed ist größer, als einer sein kann.</translation>
    </message>
    <message>
        <source>The update feed is not signed.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed ist nicht signiert.</translation>
    </message>
    <message>
        <source>The update feed is not where it should be (status {status}).</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed ist nicht da, wo er sein sollte (Status {status}).</translation>
    </message>
    <message>
        <source>The update feed is older than the one that was seen last.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed ist älter als der, der zuletzt gesehen wurde.</translation>
    </message>
    <message>
        <source>The update feed is signed with a key that this version of NovaDesk does not know.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed ist mit einem Schlüssel signiert, den diese Version von NovaDesk nicht kennt.</translation>
    </message>
    <message>
        <source>The update feed leads to an address that is not encrypted.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed führt zu einer Adresse, die nicht verschlüsselt ist.</translation>
    </message>
    <message>
        <source>The update feed offers version {version}, which is older than the {own} that runs here.</source>
        <extracomment>feed.py</extracomment>
        <translation>Der Update-Feed bietet Version {version} an, die älter ist als die {own}, die hier läuft.</translation>
    </message>
    <message>
        <source>The window that you work in gets this key, too: it will be typed there.</source>
        <extracomment>chord.py</extracomment>
        <translation>Das Fenster, in dem Sie arbeiten, bekommt diese Taste ebenfalls: Sie wird dort getippt.</translation>
    </message>
    <message>
        <source>Then a held key stops talking by itself, in case it is stuck.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Dann endet das Sprechen mit einer Taste von selbst, falls sie klemmt.</translation>
    </message>
    <message>
        <source>There are no AWS credentials.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Es gibt keine AWS-Anmeldung.</translation>
    </message>
    <message>
        <source>There are no AWS keys for the profile of the settings.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Für das Profil aus den Einstellungen gibt es keine AWS-Schlüssel.</translation>
    </message>
    <message>
        <source>There are no AWS keys on this computer.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Auf diesem Computer gibt es keine AWS-Schlüssel.</translation>
    </message>
    <message>
        <source>There is a scenario {name} already.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Ein Szenario {name} gibt es schon.</translation>
    </message>
    <message>
        <source>There is no AWS profile named “{profile}”.</source>
        <extracomment>transport/credentials.py</extracomment>
        <translation>Es gibt kein AWS-Profil namens „{profile}“.</translation>
    </message>
    <message>
        <source>There is no answer to copy yet.</source>
        <extracomment>ui/turn_actions.py</extracomment>
        <translation>Noch gibt es keine Antwort zu kopieren.</translation>
    </message>
    <message>
        <source>There is no conversation here yet.</source>
        <extracomment>app/history.py</extracomment>
        <translation>Hier gibt es noch kein Gespräch.</translation>
    </message>
    <message>
        <source>There is no conversation to delete.</source>
        <extracomment>ui/history_actions.py</extracomment>
        <translation>Es gibt kein Gespräch zu löschen.</translation>
    </message>
    <message>
        <source>There is no conversation to export.</source>
        <extracomment>app/export_many.py ui/history_actions.py</extracomment>
        <translation>Es gibt kein Gespräch zu exportieren.</translation>
    </message>
    <message>
        <source>There is no display to open a window on.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Es gibt keinen Bildschirm für ein Fenster.</translation>
    </message>
    <message>
        <source>There is no display, so there is no global key.</source>
        <extracomment>desktop/hotkeys/base.py</extracomment>
        <translation>Es gibt keine Anzeige und darum keine Taste für alle Programme.</translation>
    </message>
    <message>
        <source>There is no file {file}.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Es gibt keine Datei {file}.</translation>
    </message>
    <message>
        <source>There is no gateway at this address (status {status}).</source>
        <extracomment>transport/gateway_failures.py</extracomment>
        <translation>Unter dieser Adresse ist kein Gateway (Status {status}).</translation>
    </message>
    <message>
        <source>There is no keyring.</source>
        <extracomment>store/registry.py</extracomment>
        <translation>Es gibt keinen Schlüsselbund.</translation>
    </message>
    <message>
        <source>There is no microphone named “{name}”.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Es gibt kein Mikrofon namens „{name}“.</translation>
    </message>
    <message>
        <source>There is no microphone.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Es gibt kein Mikrofon.</translation>
    </message>
    <message>
        <source>There is no microphone: the sound system offers only what the speaker plays.</source>
        <extracomment>audio/route.py</extracomment>
        <translation>Es gibt kein Mikrofon: Das System bietet nur an, was der Lautsprecher spielt.</translation>
    </message>
    <message>
        <source>There is no open microphone</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Kein Mikrofon ist offen</translation>
    </message>
    <message>
        <source>There is no public address for it yet.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Dafür gibt es noch keine öffentliche Adresse.</translation>
    </message>
    <message>
        <source>There is no public place yet that says what is new, so NovaDesk asks nobody.</source>
        <extracomment>conversation/updateapi.py</extracomment>
        <translation>Noch gibt es keine öffentliche Stelle, die sagt, was neu ist; deshalb fragt NovaDesk niemanden.</translation>
    </message>
    <message>
        <source>There is no running NovaDesk to drive.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Kein NovaDesk läuft, das sich steuern ließe.</translation>
    </message>
    <message>
        <source>There is no session bus to ask the desktop for keys.</source>
        <extracomment>desktop/hotkeys/portalbus.py</extracomment>
        <translation>Es gibt keinen Sitzungsbus, über den sich das System nach Tasten fragen ließe.</translation>
    </message>
    <message>
        <source>There is no sound on this system: no device and no sound server answers.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Auf diesem System gibt es keinen Ton: Weder ein Gerät noch ein Tonserver antwortet.</translation>
    </message>
    <message>
        <source>There is no speaker named “{name}”.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Es gibt keinen Lautsprecher namens „{name}“.</translation>
    </message>
    <message>
        <source>There is no speaker.</source>
        <extracomment>audio/devices.py</extracomment>
        <translation>Es gibt keinen Lautsprecher.</translation>
    </message>
    <message>
        <source>There is no such conversation here.</source>
        <extracomment>models.py</extracomment>
        <translation>Dieses Gespräch gibt es hier nicht.</translation>
    </message>
    <message>
        <source>There is no such scenario.</source>
        <extracomment>store/scenarios.py</extracomment>
        <translation>Dieses Szenario gibt es nicht.</translation>
    </message>
    <message>
        <source>There is no such turn here.</source>
        <extracomment>store/conversations.py</extracomment>
        <translation>Diesen Beitrag gibt es hier nicht.</translation>
    </message>
    <message>
        <source>There is no way to the remote session store; conversations stay here.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Kein Weg zum entfernten Sitzungsspeicher; Gespräche bleiben hier.</translation>
    </message>
    <message>
        <source>There is no way to the service: no network, or no such name.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Kein Weg zum Dienst: kein Netz, oder den Namen gibt es nicht.</translation>
    </message>
    <message>
        <source>There is nothing to back up yet.</source>
        <extracomment>app/upkeep.py</extracomment>
        <translation>Noch gibt es nichts zu sichern.</translation>
    </message>
    <message>
        <source>There is nothing to export yet.</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Noch gibt es nichts zu exportieren.</translation>
    </message>
    <message>
        <source>There was no voice in it. Move closer, or choose another microphone.</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>Darin war keine Stimme. Näher herangehen oder ein anderes Mikrofon wählen.</translation>
    </message>
    <message>
        <source>There was nothing to delete.</source>
        <extracomment>ui/history_actions.py</extracomment>
        <translation>Es gab nichts zu löschen.</translation>
    </message>
    <message>
        <source>They are not saved yet: the disk does not take them. NovaDesk goes on trying while it is open.</source>
        <extracomment>ui/main_window.py</extracomment>
        <translation>Sie sind noch nicht gespeichert, weil der Datenträger sie nicht annimmt. NovaDesk versucht es weiter, solange es offen ist.</translation>
    </message>
    <message>
        <source>They work while other programs are in front, where the desktop allows it.</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Sie wirken, während andere Programme vorn sind, wo das System es erlaubt.</translation>
    </message>
    <message>
        <source>Thinking</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Denkt nach</translation>
    </message>
    <message>
        <source>This NovaDesk has no window.</source>
        <extracomment>app/control.py</extracomment>
        <translation>Dieses NovaDesk hat kein Fenster.</translation>
    </message>
    <message>
        <source>This computer</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Dieser Computer</translation>
    </message>
    <message>
        <source>This computer took too long to read the update feed.</source>
        <extracomment>app/updates.py</extracomment>
        <translation>Dieser Computer hat zum Lesen des Update-Feeds zu lange gebraucht.</translation>
    </message>
    <message>
        <source>This desktop has no portal, which is how programs get keys under Wayland.</source>
        <extracomment>desktop/hotkeys/portalbus.py</extracomment>
        <translation>Dieses System hat kein Portal; darüber bekommen Programme unter Wayland ihre Tasten.</translation>
    </message>
    <message>
        <source>This desktop has no tray, so closing the window minimises it, and the talk key goes on working. Ctrl+Q quits NovaDesk.</source>
        <extracomment>ui/background.py</extracomment>
        <translation>Dieses System hat keinen Infobereich; Schließen verkleinert das Fenster, und die Sprechtaste wirkt weiter. Strg+Q beendet NovaDesk.</translation>
    </message>
    <message>
        <source>This desktop&apos;s portal gives no keys to programs.</source>
        <extracomment>desktop/hotkeys/portalbus.py</extracomment>
        <translation>Das Portal dieses Systems gibt Programmen keine Tasten.</translation>
    </message>
    <message>
        <source>This gateway does not say where its people sign in.</source>
        <extracomment>transport/signin_provider.py</extracomment>
        <translation>Dieses Gateway sagt nicht, wo man sich anmeldet.</translation>
    </message>
    <message>
        <source>This headset sounds like a telephone while its microphone is open. Choose another microphone.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Dieses Headset klingt wie ein Telefon, solange sein Mikrofon offen ist. Ein anderes Mikrofon wählen.</translation>
    </message>
    <message>
        <source>This headset&apos;s microphone switches it to telephone sound. Choose another microphone in Settings.</source>
        <extracomment>conversation/microphone.py</extracomment>
        <translation>Das Mikrofon dieses Headsets schaltet es auf Telefonklang um. In den Einstellungen ein anderes Mikrofon wählen.</translation>
    </message>
    <message>
        <source>This is a real conversation, and it goes on in the window afterwards.</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Das ist ein echtes Gespräch; es geht danach im Fenster weiter.</translation>
    </message>
    <message>
        <source>This is how you sound…</source>
        <extracomment>ui/wizard_sound.py</extracomment>
        <translation>So klingen Sie …</translation>
    </message>
    <message>
        <source>This is no token.</source>
        <extracomment>transport/gateway_account.py</extracomment>
        <translation>Das ist kein Token.</translation>
    </message>
    <message>
        <source>This is the sound of a speaker, not of a microphone. Choose another one.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Das ist der Ton eines Lautsprechers, nicht der eines Mikrofons. Bitte ein anderes wählen.</translation>
    </message>
    <message>
        <source>This is version {version}, the newest when it was checked: {when}.</source>
        <extracomment>ui/update_row.py</extracomment>
        <translation>Dies ist Version {version}, die neueste, als zuletzt geprüft wurde: {when}.</translation>
    </message>
    <message>
        <source>This is version {version}.</source>
        <extracomment>ui/update_row.py</extracomment>
        <translation>Dies ist Version {version}.</translation>
    </message>
    <message>
        <source>This is version {version}. NovaDesk replaces nothing by itself: download the package from the page, and install it like the one that you have. Your conversations stay.</source>
        <extracomment>ui/offer_dialog.py</extracomment>
        <translation>Dies ist Version {version}. NovaDesk ersetzt nichts von selbst: Laden Sie das Paket von der Seite, und installieren Sie es wie das, das Sie haben. Ihre Gespräche bleiben.</translation>
    </message>
    <message>
        <source>This key changes between capital and small letters, too.</source>
        <extracomment>chord.py</extracomment>
        <translation>Diese Taste schaltet auch zwischen Groß- und Kleinbuchstaben um.</translation>
    </message>
    <message>
        <source>This policy was written from AWS&apos;s documentation. It has not been tried against a live account.</source>
        <extracomment>permission.py</extracomment>
        <translation>Diese Richtlinie stammt aus der Dokumentation von AWS. An einem echten Konto wurde sie nicht erprobt.</translation>
    </message>
    <message>
        <source>This sign-in service has no codes to enter elsewhere.</source>
        <extracomment>transport/signin_device.py</extracomment>
        <translation>Dieser Anmeldedienst kennt keine Codes zum Eingeben an anderer Stelle.</translation>
    </message>
    <message>
        <source>This sign-in service has no page for the browser.</source>
        <extracomment>transport/signin_browser.py</extracomment>
        <translation>Dieser Anmeldedienst hat keine Seite für den Browser.</translation>
    </message>
    <message>
        <source>This system does not report the key “{name}” to other programs.</source>
        <extracomment>desktop/hotkeys/pynput_listener.py</extracomment>
        <translation>Dieses System meldet die Taste „{name}“ anderen Programmen nicht.</translation>
    </message>
    <message>
        <source>This token has expired.</source>
        <extracomment>transport/gateway_account.py</extracomment>
        <translation>Dieses Token ist abgelaufen.</translation>
    </message>
    <message>
        <source>This version</source>
        <extracomment>ui/update_row.py</extracomment>
        <translation>Diese Version</translation>
    </message>
    <message>
        <source>Time</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>Time of the last answer</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Dauer bis zur letzten Antwort</translation>
    </message>
    <message>
        <source>Time of the test</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>Dauer des Tests</translation>
    </message>
    <message>
        <source>Title</source>
        <extracomment>ui/history_delegate.py ui/scenario_editor.py</extracomment>
        <translation>Titel</translation>
    </message>
    <message>
        <source>To keep them, or to take them elsewhere. Devices, accounts, addresses and keys are left out.</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>Zum Aufheben oder Mitnehmen. Geräte, Konten, Adressen und Schlüssel bleiben draußen.</translation>
    </message>
    <message>
        <source>Today</source>
        <extracomment>ui/filter_bar.py ui/words.py</extracomment>
        <translation>Heute</translation>
    </message>
    <message>
        <source>Token of the gateway</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Token des Gateways</translation>
    </message>
    <message>
        <source>Tokens since start</source>
        <extracomment>ui/details_view.py</extracomment>
        <translation>Tokens seit dem Start</translation>
    </message>
    <message>
        <source>Too loud</source>
        <extracomment>ui/level_meter.py</extracomment>
        <translation>Zu laut</translation>
    </message>
    <message>
        <source>Too loud: it clips. Move away, or lower the microphone&apos;s level in the system.</source>
        <extracomment>ui/sound_fields.py</extracomment>
        <translation>Zu laut, es übersteuert. Weiter weg gehen oder den Pegel des Mikrofons im System senken.</translation>
    </message>
    <message>
        <source>Too many ask NovaDesk at a time.</source>
        <extracomment>desktop/instance.py</extracomment>
        <translation>Zu viele fragen NovaDesk gleichzeitig.</translation>
    </message>
    <message>
        <source>Tool</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Werkzeug</translation>
    </message>
    <message>
        <source>Top P</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Top P</translation>
    </message>
    <message>
        <source>Topic</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Thema</translation>
    </message>
    <message>
        <source>Try again in a moment.</source>
        <extracomment>desktop/control.py desktop/instance.py ui/bridge.py</extracomment>
        <translation>Gleich noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Try again, or run `aws sso login` in a terminal to see why.</source>
        <extracomment>app/signin.py</extracomment>
        <translation>Noch einmal versuchen; `aws sso login` in einem Terminal zeigt den Grund.</translation>
    </message>
    <message>
        <source>Try again.</source>
        <extracomment>desktop/instance.py transport/signin_browser.py transport/signin_device.py</extracomment>
        <translation>Noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Try again; if it stays so, end NovaDesk and start it anew.</source>
        <extracomment>desktop/control.py</extracomment>
        <translation>Noch einmal versuchen; bleibt es so, NovaDesk beenden und neu starten.</translation>
    </message>
    <message>
        <source>Try now</source>
        <extracomment>catalogue.py ui/error_bar.py</extracomment>
        <translation>Jetzt versuchen</translation>
    </message>
    <message>
        <source>Try now starts it again.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>„Jetzt versuchen“ startet ihn wieder.</translation>
    </message>
    <message>
        <source>Try the talk keys</source>
        <extracomment>ui/setting_extras.py</extracomment>
        <translation>Sprechtasten ausprobieren</translation>
    </message>
    <message>
        <source>Turn</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Beitrag</translation>
    </message>
    <message>
        <source>Type a message</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Nachricht schreiben</translation>
    </message>
    <message>
        <source>Type now, sent once reconnected</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Schreiben; gesendet wird nach dem Verbinden</translation>
    </message>
    <message>
        <source>Type to add something</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Schreiben, um etwas hinzuzufügen</translation>
    </message>
    <message>
        <source>Type to try again</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Schreiben, um es neu zu versuchen</translation>
    </message>
    <message>
        <source>Undo</source>
        <extracomment>ui/settings_window.py ui/undo_bar.py</extracomment>
        <translation>Rückgängig</translation>
    </message>
    <message>
        <source>Undo (Ctrl+Z)</source>
        <extracomment>ui/settings_window.py ui/undo_bar.py</extracomment>
        <translation>Rückgängig (Strg+Z)</translation>
    </message>
    <message>
        <source>Undo the deletion</source>
        <extracomment>ui/main_window.py ui/undo_bar.py</extracomment>
        <translation>Löschen rückgängig machen</translation>
    </message>
    <message>
        <source>Unlock it and try again.</source>
        <extracomment>desktop/keychain.py store/registry.py</extracomment>
        <translation>Entsperren und noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Unlock it, then sync now.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Entsperren, dann jetzt abgleichen.</translation>
    </message>
    <message>
        <source>Unmute</source>
        <extracomment>ui/mini_strip.py ui/session_panel.py</extracomment>
        <translation>Stumm aus</translation>
    </message>
    <message>
        <source>Unmute to talk, or type {here}</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Stummschaltung aufheben oder {here} schreiben</translation>
    </message>
    <message>
        <source>Until the answer&apos;s first sound arrived.</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Bis der erste Ton der Antwort da war.</translation>
    </message>
    <message>
        <source>Until the speaker played it.</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>Bis der Lautsprecher ihn spielte.</translation>
    </message>
    <message>
        <source>Until then you can talk and read.</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>Bis dahin können Sie sprechen und lesen.</translation>
    </message>
    <message>
        <source>Until then you can type and listen.</source>
        <extracomment>audio/opening.py</extracomment>
        <translation>Bis dahin können Sie tippen und zuhören.</translation>
    </message>
    <message>
        <source>Up arrow</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Pfeil nach oben</translation>
    </message>
    <message>
        <source>Up to date.</source>
        <extracomment>ui/sync_row.py</extracomment>
        <translation>Alles aktuell.</translation>
    </message>
    <message>
        <source>Update NovaDesk; the file has not been touched.</source>
        <extracomment>store/database.py</extracomment>
        <translation>NovaDesk aktualisieren; die Datei ist unverändert.</translation>
    </message>
    <message>
        <source>Use `novadesk talk`, which needs none, or set DISPLAY.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>`novadesk talk` benutzen, das keine braucht, oder DISPLAY setzen.</translation>
    </message>
    <message>
        <source>Use that one, end it, or give another --profile.</source>
        <extracomment>desktop/corelock.py desktop/instance.py</extracomment>
        <translation>Jenes benutzen, es beenden oder ein anderes --profile angeben.</translation>
    </message>
    <message>
        <source>Use the key in the window, or bind the command to a key of the desktop.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Die Taste im Fenster benutzen oder den Befehl im System auf eine Taste legen.</translation>
    </message>
    <message>
        <source>Use the key inside the window or the talk button, or bind `novadesk ctl talk toggle` to a key in the desktop&apos;s settings.</source>
        <extracomment>chord.py</extracomment>
        <translation>Die Taste im Fenster oder den Sprechknopf benutzen oder `novadesk ctl talk toggle` im System auf eine Taste legen.</translation>
    </message>
    <message>
        <source>Use the same version and the same account for both.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Für beide dieselbe Version und dasselbe Konto benutzen.</translation>
    </message>
    <message>
        <source>Version {version}

Voice conversations with Amazon Nova Sonic, kept on this computer. The practice partner runs on this computer, needs no account and is not an Amazon model.

Apache License 2.0. The practice voice uses espeak‑ng (GPL 3 or later) in a separate process.</source>
        <extracomment>ui/about_dialog.py</extracomment>
        <translation>Version {version}

Gespräche mit Amazon Nova Sonic, auf diesem Computer aufbewahrt. Der Übungspartner läuft auf diesem Computer, braucht kein Konto und ist kein Modell von Amazon.

Apache-Lizenz 2.0. Die Übungsstimme nutzt espeak‑ng (GPL 3 oder neuer) in einem eigenen Prozess.</translation>
    </message>
    <message>
        <source>Version, settings, numbers and events, without secrets and without what was said</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Version, Einstellungen, Zahlen und Ereignisse, ohne Geheimnisse und ohne Gesagtes</translation>
    </message>
    <message>
        <source>Version, system, settings, numbers, warnings and the newest protocol events</source>
        <extracomment>app/bundling.py</extracomment>
        <translation>Version, System, Einstellungen, Zahlen, Warnungen und die neuesten Protokollereignisse</translation>
    </message>
    <message>
        <source>Voice</source>
        <extracomment>app/access.py ui/details_view.py ui/filter_bar.py ui/setting_table.py</extracomment>
        <translation>Stimme</translation>
    </message>
    <message>
        <source>Voice and instructions of this conversation</source>
        <extracomment>ui/scenario_change.py ui/scenario_desk.py</extracomment>
        <translation>Stimme und Anweisungen dieses Gesprächs</translation>
    </message>
    <message>
        <source>Voice and instructions: {words}</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>Stimme und Anweisungen: {words}</translation>
    </message>
    <message>
        <source>Volume of answers</source>
        <extracomment>ui/setting_table.py ui/volume.py</extracomment>
        <translation>Lautstärke der Antworten</translation>
    </message>
    <message>
        <source>Volume of cues</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Lautstärke der Signale</translation>
    </message>
    <message>
        <source>Volume {percent} ({louder}, {softer})</source>
        <extracomment>ui/volume.py</extracomment>
        <translation>Lautstärke {percent} ({louder}, {softer})</translation>
    </message>
    <message>
        <source>Wait a moment; NovaDesk goes on trying.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Einen Moment warten; NovaDesk versucht es weiter.</translation>
    </message>
    <message>
        <source>Waiting for the desktop…</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>Warten auf das System …</translation>
    </message>
    <message>
        <source>Waiting for your sign-in in the browser…</source>
        <extracomment>ui/gateway_account.py ui/remedies.py</extracomment>
        <translation>Wartet auf Ihre Anmeldung im Browser …</translation>
    </message>
    <message>
        <source>Waiting for your sign-in. If no browser has opened: {address}</source>
        <extracomment>ui/remedies.py</extracomment>
        <translation>Wartet auf Ihre Anmeldung. Falls sich kein Browser geöffnet hat: {address}</translation>
    </message>
    <message>
        <source>Wear a headset or lower the volume.</source>
        <extracomment>ui/sound_note.py</extracomment>
        <translation>Ein Headset aufsetzen oder leiser stellen.</translation>
    </message>
    <message>
        <source>Wear a headset, lower the volume, or take turns.</source>
        <extracomment>ui/sound_note.py</extracomment>
        <translation>Ein Headset aufsetzen, leiser stellen oder abwechselnd sprechen.</translation>
    </message>
    <message>
        <source>Web page (.html)</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Webseite (.html)</translation>
    </message>
    <message>
        <source>What happened</source>
        <extracomment>ui/event_log.py</extracomment>
        <translation>Was geschah</translation>
    </message>
    <message>
        <source>What is new</source>
        <extracomment>ui/offer_dialog.py</extracomment>
        <translation>Was neu ist</translation>
    </message>
    <message>
        <source>What is new…</source>
        <extracomment>ui/offer_note.py ui/update_row.py</extracomment>
        <translation>Was ist neu …</translation>
    </message>
    <message>
        <source>What says which version is the newest is missing, or cannot be read.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Was sagt, welche Version die neueste ist, fehlt oder ist nicht lesbar.</translation>
    </message>
    <message>
        <source>What says which version is the newest is not signed as it should be, or is out of date.</source>
        <extracomment>catalogue.py</extracomment>
        <translation>Was sagt, welche Version die neueste ist, ist nicht signiert, wie es sein sollte, oder veraltet.</translation>
    </message>
    <message>
        <source>What the field takes</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Was das Feld aufnimmt</translation>
    </message>
    <message>
        <source>What the microphone hears is sent</source>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>Was das Mikrofon hört, wird gesendet</translation>
    </message>
    <message>
        <source>What to do</source>
        <extracomment>ui/history_list.py ui/turn_actions.py</extracomment>
        <translation>Was möglich ist</translation>
    </message>
    <message>
        <source>What was said is not recorded: texts and audio appear as lengths.</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Gesagtes wird nicht aufgezeichnet: Texte und Ton erscheinen nur als Längen.</translation>
    </message>
    <message>
        <source>What you &amp;said</source>
        <extracomment>ui/correct_dialog.py</extracomment>
        <translation>Was Sie &amp;sagten</translation>
    </message>
    <message>
        <source>What you asked is not asked again.</source>
        <extracomment>conversation/stopping.py</extracomment>
        <translation>Ihre Frage wird nicht noch einmal gestellt.</translation>
    </message>
    <message>
        <source>What you wrote since is lost.</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>Was Sie seither geschrieben haben, geht verloren.</translation>
    </message>
    <message>
        <source>Whatever is spoken</source>
        <extracomment>ui/scenario_pickers.py</extracomment>
        <translation>Was gerade gesprochen wird</translation>
    </message>
    <message>
        <source>When</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Wann</translation>
    </message>
    <message>
        <source>When conversations get too old. Those of the practice partner lie on this computer and always go.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wenn Gespräche zu alt werden. Kopien des Übungspartners liegen auf diesem Computer und gehen immer mit.</translation>
    </message>
    <message>
        <source>Where do you want to talk?</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Wo möchten Sie sprechen?</translation>
    </message>
    <message>
        <source>Where in the program a fault happened</source>
        <extracomment>app/bundling.py</extracomment>
        <translation>Wo im Programm ein Fehler auftrat</translation>
    </message>
    <message>
        <source>Where that list lies. Wherever that is, only one that NovaDesk&apos;s makers have signed counts.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wo diese Liste liegt. Wo auch immer: Es zählt nur eine, die von denen signiert ist, die NovaDesk machen.</translation>
    </message>
    <message>
        <source>Windows</source>
        <extracomment>ui/key_names.py</extracomment>
        <translation>Windows</translation>
    </message>
    <message>
        <source>Wire session</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>Leitungssitzung</translation>
    </message>
    <message>
        <source>Wire session {n} = invocation</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>Leitungssitzung {n} = Invocation</translation>
    </message>
    <message>
        <source>With a &amp;star only</source>
        <extracomment>ui/filter_bar.py</extracomment>
        <translation>Nur mit &amp;Stern</translation>
    </message>
    <message>
        <source>With a key NovaDesk hears you only while you hold it. Space always works in the window.</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Mit einer Taste hört NovaDesk Sie nur, solange Sie sie halten. Im Fenster wirkt immer die Leertaste.</translation>
    </message>
    <message>
        <source>With whom</source>
        <extracomment>builtin_scenarios.py</extracomment>
        <translation>Mit wem</translation>
    </message>
    <message>
        <source>Without a title</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>Ohne Titel</translation>
    </message>
    <message>
        <source>Write a message</source>
        <extracomment>ui/main_window.py</extracomment>
        <translation>Nachricht schreiben</translation>
    </message>
    <message>
        <source>Write some, or take its own words back.</source>
        <extracomment>store/conversations.py</extracomment>
        <translation>Etwas schreiben oder die ursprünglichen Worte zurückholen.</translation>
    </message>
    <message>
        <source>Write two choices or more, with commas between them.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Schreiben Sie zwei oder mehr Möglichkeiten, mit Kommas dazwischen.</translation>
    </message>
    <message>
        <source>Write what your partner is to do.</source>
        <extracomment>scenario.py</extracomment>
        <translation>Schreiben, was das Gegenüber tun soll.</translation>
    </message>
    <message>
        <source>Write {name} where a field of the form goes. A line whose fields are all left empty is left out.</source>
        <extracomment>ui/scenario_editor.py</extracomment>
        <translation>{name} schreiben, wo ein Feld des Formulars hinkommt. Eine Zeile, deren Felder alle leer sind, fällt weg.</translation>
    </message>
    <message>
        <source>Writing {done} of {whole}</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>Schreibt {done} von {whole}</translation>
    </message>
    <message>
        <source>Yesterday</source>
        <extracomment>ui/words.py</extracomment>
        <translation>Gestern</translation>
    </message>
    <message>
        <source>You</source>
        <extracomment>ui/item_models.py ui/wizard_talk.py</extracomment>
        <translation>Sie</translation>
    </message>
    <message>
        <source>You are heard while the key is down.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sie sind zu hören, solange die Taste gedrückt ist.</translation>
    </message>
    <message>
        <source>You are heard while the key is down; after a double press, until the next one.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sie sind zu hören, solange die Taste gedrückt ist, nach doppeltem Druck bis zum nächsten.</translation>
    </message>
    <message>
        <source>You are not signed in to the gateway.</source>
        <extracomment>transport/gateway_token.py</extracomment>
        <translation>Keine Anmeldung am Gateway.</translation>
    </message>
    <message>
        <source>You are not signed in.</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Nicht angemeldet.</translation>
    </message>
    <message>
        <source>You are signed in as {name} until {time}.</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Angemeldet als {name} bis {time}.</translation>
    </message>
    <message>
        <source>You are signed in as {name}.</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Angemeldet als {name}.</translation>
    </message>
    <message>
        <source>You are signed in until {time}.</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Angemeldet bis {time}.</translation>
    </message>
    <message>
        <source>You are signed in.</source>
        <extracomment>ui/gateway_account.py</extracomment>
        <translation>Angemeldet.</translation>
    </message>
    <message>
        <source>You can change this at any time. The practice partner needs no account and no network.</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Das lässt sich jederzeit ändern. Der Übungspartner braucht weder Konto noch Netz.</translation>
    </message>
    <message>
        <source>You decide when NovaDesk hears you.</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Sie bestimmen, wann NovaDesk Sie hört.</translation>
    </message>
    <message>
        <source>You have no access to the remote session store.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Kein Zugang zum entfernten Sitzungsspeicher.</translation>
    </message>
    <message numerus="yes">
        <source>You said 1 character</source>
        <comment>You said {n} characters</comment>
        <extracomment>conversation/eventlog.py</extracomment>
        <translation>
            <numerusform>Sie sagten 1 Zeichen</numerusform>
            <numerusform>Sie sagten {n} Zeichen</numerusform>
        </translation>
    </message>
    <message>
        <source>You take turns now: NovaDesk does not listen while it speaks.</source>
        <extracomment>conversation/talkover.py</extracomment>
        <translation>Ab jetzt abwechselnd: NovaDesk hört nicht zu, während es spricht.</translation>
    </message>
    <message>
        <source>Your AWS credentials have expired.</source>
        <extracomment>store/agentfault.py</extracomment>
        <translation>Die AWS-Anmeldung ist abgelaufen.</translation>
    </message>
    <message>
        <source>Your conversations are saved. This report stays on this computer until you send it to somebody: it says where in the program it happened, and holds no word of a conversation, no key and no id.</source>
        <extracomment>ui/crash_dialog.py</extracomment>
        <translation>Ihre Gespräche sind gespeichert. Dieser Bericht bleibt auf diesem Computer, bis Sie ihn jemandem senden: Er sagt, wo im Programm es geschah, und enthält kein Wort eines Gesprächs, keinen Schlüssel und keine Kennung.</translation>
    </message>
    <message>
        <source>Your conversations will be here.</source>
        <extracomment>ui/history_view.py</extracomment>
        <translation>Hier erscheinen Ihre Gespräche.</translation>
    </message>
    <message>
        <source>Your team&apos;s server: no AWS account, but a sign-in there.</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>Der Server des Teams: kein AWS-Konto, aber eine Anmeldung dort.</translation>
    </message>
    <message>
        <source>a key of the desktop’s settings</source>
        <extracomment>desktop/hotkeys/portal.py</extracomment>
        <translation>eine Taste aus den Systemeinstellungen</translation>
    </message>
    <message>
        <source>alert {bound} · {measured}</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>Warnung {bound} · {measured}</translation>
    </message>
    <message>
        <source>answered</source>
        <extracomment>app/access.py</extracomment>
        <translation>hat geantwortet</translation>
    </message>
    <message>
        <source>answered in {s} s</source>
        <extracomment>app/access.py</extracomment>
        <translation>hat in {s} s geantwortet</translation>
    </message>
    <message>
        <source>answers</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>antwortet</translation>
    </message>
    <message>
        <source>at each press, to begin and to end</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>bei jedem Druck, zum Beginnen und Beenden</translation>
    </message>
    <message>
        <source>audio</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Ton</translation>
    </message>
    <message>
        <source>being ended for a break</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>wird für eine Pause beendet</translation>
    </message>
    <message>
        <source>being made</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>wird angelegt</translation>
    </message>
    <message>
        <source>being opened</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>wird geöffnet</translation>
    </message>
    <message>
        <source>being renewed</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>wird erneuert</translation>
    </message>
    <message>
        <source>below</source>
        <extracomment>ui/states.py</extracomment>
        <translation>unten</translation>
    </message>
    <message>
        <source>brings no voice</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>bringt keine Stimme</translation>
    </message>
    <message>
        <source>brisk speech</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>zügiges Sprechen</translation>
    </message>
    <message>
        <source>carries the conversation</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>trägt das Gespräch</translation>
    </message>
    <message>
        <source>closed</source>
        <extracomment>ui/details_view.py ui/pipeline.py</extracomment>
        <translation>geschlossen</translation>
    </message>
    <message>
        <source>closed for a break</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>für eine Pause geschlossen</translation>
    </message>
    <message>
        <source>closed for writing</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>zum Schreiben geschlossen</translation>
    </message>
    <message>
        <source>closed, sends silence</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>geschlossen, sendet Stille</translation>
    </message>
    <message>
        <source>connecting</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>verbindet</translation>
    </message>
    <message>
        <source>connecting after a break</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>verbindet nach einer Pause</translation>
    </message>
    <message>
        <source>control</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Steuerung</translation>
    </message>
    <message>
        <source>corrected, hide what was heard</source>
        <extracomment>ui/words.py</extracomment>
        <translation>berichtigt, Gehörtes verbergen</translation>
    </message>
    <message>
        <source>corrected, show what was heard</source>
        <extracomment>ui/words.py</extracomment>
        <translation>berichtigt, Gehörtes zeigen</translation>
    </message>
    <message>
        <source>credentials</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Anmeldung</translation>
    </message>
    <message>
        <source>cut off</source>
        <extracomment>ui/words.py</extracomment>
        <translation>abgeschnitten</translation>
    </message>
    <message>
        <source>default</source>
        <extracomment>ui/setting_table.py ui/wizard_access.py</extracomment>
        <translation>Standard</translation>
    </message>
    <message>
        <source>desktop</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Arbeitsplatz</translation>
    </message>
    <message>
        <source>empty</source>
        <comment>a conversation without turns</comment>
        <extracomment>ui/history_model.py</extracomment>
        <translation>leer</translation>
    </message>
    <message>
        <source>fair</source>
        <extracomment>ui/words.py</extracomment>
        <translation>mäßig</translation>
    </message>
    <message>
        <source>fair connection</source>
        <extracomment>ui/words.py</extracomment>
        <translation>mäßige Verbindung</translation>
    </message>
    <message>
        <source>for {s} s</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>seit {s} s</translation>
    </message>
    <message>
        <source>from the cloud</source>
        <extracomment>ui/history_model.py</extracomment>
        <translation>aus der Cloud</translation>
    </message>
    <message>
        <source>good</source>
        <extracomment>ui/words.py</extracomment>
        <translation>gut</translation>
    </message>
    <message>
        <source>here</source>
        <extracomment>ui/states.py</extracomment>
        <translation>hier</translation>
    </message>
    <message>
        <source>hide what was not spoken</source>
        <extracomment>ui/words.py</extracomment>
        <translation>nicht Gesprochenes verbergen</translation>
    </message>
    <message>
        <source>in the keyring, not read in this run</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>im Schlüsselbund, in diesem Lauf nicht gelesen</translation>
    </message>
    <message>
        <source>in under 0.1 s</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>in weniger als 0,1 s</translation>
    </message>
    <message>
        <source>in {s} s</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>in {s} s</translation>
    </message>
    <message>
        <source>input</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Eingabe</translation>
    </message>
    <message>
        <source>interrupted by you</source>
        <extracomment>ui/words.py</extracomment>
        <translation>von Ihnen unterbrochen</translation>
    </message>
    <message>
        <source>it broke off the encrypted connection</source>
        <extracomment>transport/dial.py</extracomment>
        <translation>es hat die verschlüsselte Verbindung abgebrochen</translation>
    </message>
    <message>
        <source>it cannot be verified</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>es lässt sich nicht prüfen</translation>
    </message>
    <message>
        <source>it does not answer</source>
        <extracomment>transport/dial.py</extracomment>
        <translation>es antwortet nicht</translation>
    </message>
    <message>
        <source>it has a format that this version does not know</source>
        <extracomment>feed.py</extracomment>
        <translation>er hat ein Format, das diese Version nicht kennt</translation>
    </message>
    <message>
        <source>it has no address</source>
        <extracomment>transport/dial.py</extracomment>
        <translation>es hat keine Adresse</translation>
    </message>
    <message>
        <source>it is not JSON</source>
        <extracomment>feed.py</extracomment>
        <translation>er ist kein JSON</translation>
    </message>
    <message>
        <source>it is not a JSON object</source>
        <extracomment>feed.py</extracomment>
        <translation>er ist kein JSON-Objekt</translation>
    </message>
    <message>
        <source>its name is not known</source>
        <extracomment>transport/dial.py transport/webway.py</extracomment>
        <translation>sein Name ist nicht bekannt</translation>
    </message>
    <message>
        <source>its signature is cut off</source>
        <extracomment>feed.py</extracomment>
        <translation>seine Signatur ist abgeschnitten</translation>
    </message>
    <message>
        <source>its signature is not one</source>
        <extracomment>feed.py</extracomment>
        <translation>seine Signatur ist keine</translation>
    </message>
    <message>
        <source>its signature is not text</source>
        <extracomment>feed.py</extracomment>
        <translation>seine Signatur ist kein Text</translation>
    </message>
    <message>
        <source>keyring</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Schlüsselbund</translation>
    </message>
    <message>
        <source>keys good for {s} s</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>Schlüssel noch {s} s gültig</translation>
    </message>
    <message>
        <source>listens</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>hört zu</translation>
    </message>
    <message>
        <source>long pauses</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>lange Pausen</translation>
    </message>
    <message>
        <source>lost, connecting again</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>verloren, verbindet neu</translation>
    </message>
    <message>
        <source>medium pauses</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>mittlere Pausen</translation>
    </message>
    <message>
        <source>muted</source>
        <extracomment>ui/states.py</extracomment>
        <translation>stumm</translation>
    </message>
    <message>
        <source>muted, sends silence</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>stumm, sendet Stille</translation>
    </message>
    <message>
        <source>name, such as title</source>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>Name, etwa titel</translation>
    </message>
    <message>
        <source>network</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Netz</translation>
    </message>
    <message>
        <source>no microphone</source>
        <extracomment>ui/states.py</extracomment>
        <translation>kein Mikrofon</translation>
    </message>
    <message>
        <source>no network</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>kein Netz</translation>
    </message>
    <message>
        <source>no reason given</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>ohne Angabe von Gründen</translation>
    </message>
    <message>
        <source>no stored one is open</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>kein gespeichertes ist offen</translation>
    </message>
    <message>
        <source>none</source>
        <extracomment>ui/setting_rows.py ui/setting_table.py</extracomment>
        <translation>keine</translation>
    </message>
    <message>
        <source>none is open</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>keine ist offen</translation>
    </message>
    <message>
        <source>none was made yet</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>noch keine angelegt</translation>
    </message>
    <message>
        <source>not confirmed by the service</source>
        <extracomment>ui/words.py</extracomment>
        <translation>vom Dienst nicht bestätigt</translation>
    </message>
    <message>
        <source>not connected</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>nicht verbunden</translation>
    </message>
    <message>
        <source>not measured yet</source>
        <extracomment>ui/words.py</extracomment>
        <translation>noch nicht gemessen</translation>
    </message>
    <message>
        <source>not saved yet</source>
        <extracomment>ui/id_rows.py ui/words.py</extracomment>
        <translation>noch nicht gespeichert</translation>
    </message>
    <message>
        <source>not synced</source>
        <extracomment>ui/id_rows.py ui/words.py</extracomment>
        <translation>nicht abgeglichen</translation>
    </message>
    <message>
        <source>nothing answers there</source>
        <extracomment>transport/dial.py transport/webway.py</extracomment>
        <translation>dort antwortet nichts</translation>
    </message>
    <message>
        <source>on this computer only</source>
        <extracomment>ui/words.py</extracomment>
        <translation>nur auf diesem Computer</translation>
    </message>
    <message>
        <source>open</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>offen</translation>
    </message>
    <message>
        <source>open</source>
        <comment>the conversation that is shown</comment>
        <extracomment>ui/history_model.py</extracomment>
        <translation>offen</translation>
    </message>
    <message>
        <source>opening</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>wird geöffnet</translation>
    </message>
    <message>
        <source>plays</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>spielt</translation>
    </message>
    <message>
        <source>poor</source>
        <extracomment>ui/words.py</extracomment>
        <translation>schlecht</translation>
    </message>
    <message>
        <source>poor connection</source>
        <extracomment>ui/words.py</extracomment>
        <translation>schlechte Verbindung</translation>
    </message>
    <message>
        <source>privacy incognito secret off the record default</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Datenschutz Inkognito geheim vertraulich Voreinstellung</translation>
    </message>
    <message>
        <source>push to talk shortcut hotkey mouse button f9 test try command Wayland portal</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Push-to-talk Kürzel Hotkey Maustaste F9 Test ausprobieren Befehl Wayland Portal</translation>
    </message>
    <message>
        <source>ready to take over</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>bereit zu übernehmen</translation>
    </message>
    <message>
        <source>server team company sign in URL</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Server Team Firma Anmeldung URL Adresse</translation>
    </message>
    <message>
        <source>silent</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>still</translation>
    </message>
    <message>
        <source>silent quiet text chat mute answers</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>still leise Text Chat stumm Antworten schriftlich</translation>
    </message>
    <message>
        <source>slow speech</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>langsames Sprechen</translation>
    </message>
    <message>
        <source>stopped</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>angehalten</translation>
    </message>
    <message>
        <source>takes turns</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>nimmt Beiträge auf</translation>
    </message>
    <message>
        <source>the service has it no more</source>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>der Dienst hat sie nicht mehr</translation>
    </message>
    <message>
        <source>thinks</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>denkt nach</translation>
    </message>
    <message>
        <source>update server URL mirror network</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Aktualisierung Server URL Spiegel Netz</translation>
    </message>
    <message>
        <source>update upgrade release automatic privacy</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Aktualisierung Upgrade neue Version automatisch Datenschutz</translation>
    </message>
    <message>
        <source>updates</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Updates</translation>
    </message>
    <message>
        <source>used: {tools}</source>
        <extracomment>ui/words.py</extracomment>
        <translation>verwendet: {tools}</translation>
    </message>
    <message>
        <source>waits for a tool</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>wartet auf ein Werkzeug</translation>
    </message>
    <message>
        <source>waits for you</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>wartet auf Sie</translation>
    </message>
    <message>
        <source>was interrupted</source>
        <extracomment>ui/pipeline.py</extracomment>
        <translation>wurde unterbrochen</translation>
    </message>
    <message>
        <source>you are signed in to the gateway</source>
        <extracomment>app/access.py</extracomment>
        <translation>am Gateway angemeldet</translation>
    </message>
    <message>
        <source>{file} cannot be used ({why}).</source>
        <extracomment>errors.py</extracomment>
        <translation>{file} lässt sich nicht benutzen ({why}).</translation>
    </message>
    <message>
        <source>{found}; “{section}” is shown</source>
        <extracomment>ui/setting_sidebar.py</extracomment>
        <translation>{found}; „{section}“ wird gezeigt</translation>
    </message>
    <message>
        <source>{host} did not answer in time.</source>
        <extracomment>transport/webway.py</extracomment>
        <translation>{host} hat nicht rechtzeitig geantwortet.</translation>
    </message>
    <message>
        <source>{label} is a whole number from {n} to {m}.</source>
        <extracomment>scenario.py</extracomment>
        <translation>{label} ist eine ganze Zahl von {n} bis {m}.</translation>
    </message>
    <message>
        <source>{label} is one of {choices}.</source>
        <extracomment>scenario.py</extracomment>
        <translation>{label} ist eines von {choices}.</translation>
    </message>
    <message numerus="yes">
        <source>{label} must not be empty.</source>
        <comment>{label} needs at least {n} characters.</comment>
        <extracomment>scenario.py</extracomment>
        <translation>
            <numerusform>{label} darf nicht leer sein.</numerusform>
            <numerusform>{label} braucht mindestens {n} Zeichen.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>over 1 day</source>
        <comment>over {n} days</comment>
        <extracomment>ui/words.py</extracomment>
        <translation>
            <numerusform>über 1 Tag</numerusform>
            <numerusform>über {n} Tage</numerusform>
        </translation>
    </message>
    <message>
        <source>Talk &amp;keys</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>Sprech&amp;tasten</translation>
    </message>
    <message>
        <source>Talk keys</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sprechtasten</translation>
    </message>
    <message>
        <source>Talk with</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sprechen mit</translation>
    </message>
    <message>
        <source>Talking stopped after {minutes} minutes. Press again to go on.</source>
        <extracomment>app/talkpress.py</extracomment>
        <translation>Sprechen nach {minutes} Minuten beendet. Zum Fortfahren neu drücken.</translation>
    </message>
    <message>
        <source>Talking stopped after {seconds} seconds. Press again to go on.</source>
        <extracomment>app/talkpress.py</extracomment>
        <translation>Sprechen nach {seconds} Sekunden beendet. Zum Fortfahren neu drücken.</translation>
    </message>
    <message>
        <source>The microphone is muted while one of them is down.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Solange eine davon gedrückt ist, ist das Mikrofon stumm.</translation>
    </message>
    <message>
        <source>Use them now</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>Jetzt anwenden</translation>
    </message>
    <message>
        <source>Used from the next start of NovaDesk.</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>Gilt ab dem nächsten Start von NovaDesk.</translation>
    </message>
    <message>
        <source>Used once NovaDesk connects anew.</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>Gilt, sobald NovaDesk neu verbindet.</translation>
    </message>
    <message>
        <source>Voice and sound</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>Stimme und Ton</translation>
    </message>
    <message>
        <source>Way to talk</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Art zu sprechen</translation>
    </message>
    <message>
        <source>What the partner is told before each conversation without a scenario.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Was dem Gegenüber vor jedem Gespräch ohne Szenario gesagt wird.</translation>
    </message>
    <message>
        <source>Where the model runs and where copies of conversations are kept.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wo das Modell läuft und Kopien der Gespräche liegen.</translation>
    </message>
    <message>
        <source>Whose credentials are used, by its name in your AWS configuration.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wessen Anmeldung dient, mit dem Namen aus der AWS-Konfiguration.</translation>
    </message>
    <message>
        <source>With a key or button</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Mit Taste oder Knopf</translation>
    </message>
    <message>
        <source>With two, a connection that gets old is replaced without a gap.</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Mit zweien wird eine alternde Verbindung ohne Lücke ersetzt.</translation>
    </message>
    <message>
        <source>accessibility theme</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Barrierefreiheit Thema</translation>
    </message>
    <message>
        <source>animation accessibility</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Animation Barrierefreiheit</translation>
    </message>
    <message>
        <source>backend service AWS local offline</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Dienst Backend AWS lokal offline</translation>
    </message>
    <message>
        <source>creativity random</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Kreativität Zufall</translation>
    </message>
    <message>
        <source>credentials account sign in SSO</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Anmeldung Konto SSO</translation>
    </message>
    <message>
        <source>echo cancellation half duplex loudspeaker headphones</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Echo Unterdrückung Halbduplex Lautsprecher Kopfhörer</translation>
    </message>
    <message>
        <source>endpoint URL VPC network</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Endpunkt URL VPC Netz</translation>
    </message>
    <message>
        <source>endpoint URL VPC network sync</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Endpunkt URL VPC Netz Abgleich</translation>
    </message>
    <message>
        <source>endpointing sensitivity patience interrupt</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Endpunkt Empfindlichkeit Geduld unterbrechen</translation>
    </message>
    <message>
        <source>font zoom large accessibility</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Schrift Zoom groß Barrierefreiheit</translation>
    </message>
    <message>
        <source>idle timeout privacy sleep</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Leerlauf Timeout Privatsphäre Ruhe</translation>
    </message>
    <message>
        <source>input device headset</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Eingabe Gerät Headset</translation>
    </message>
    <message>
        <source>length limit</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Länge Grenze</translation>
    </message>
    <message>
        <source>location</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Ort</translation>
    </message>
    <message>
        <source>loudness</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Lautheit</translation>
    </message>
    <message>
        <source>loudness beep signal</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Lautheit Piep Signal</translation>
    </message>
    <message>
        <source>macOS shows keys to NovaDesk only with your consent: allow NovaDesk under System Settings, Privacy &amp; Security, Accessibility, then start it anew.</source>
        <extracomment>desktop/hotkeys/macos.py</extracomment>
        <translation>macOS zeigt NovaDesk Tasten nur mit Ihrer Zustimmung: NovaDesk unter Systemeinstellungen, Datenschutz &amp; Sicherheit, Bedienungshilfen erlauben und dann neu starten.</translation>
    </message>
    <message>
        <source>macOS shows keys to NovaDesk only with your consent: allow NovaDesk under System Settings, Privacy &amp; Security, Input Monitoring, then start it anew.</source>
        <extracomment>desktop/hotkeys/macos.py</extracomment>
        <translation>macOS zeigt NovaDesk Tasten nur mit Ihrer Zustimmung: NovaDesk unter Systemeinstellungen, Datenschutz &amp; Sicherheit, Eingabeüberwachung erlauben und dann neu starten.</translation>
    </message>
    <message>
        <source>macOS shows keys to NovaDesk only with your consent: allow NovaDesk under System Settings, Privacy &amp; Security, both in Accessibility and in Input Monitoring, then start it anew.</source>
        <extracomment>desktop/hotkeys/macos.py</extracomment>
        <translation>macOS zeigt NovaDesk Tasten nur mit Ihrer Zustimmung: NovaDesk unter Systemeinstellungen, Datenschutz &amp; Sicherheit sowohl bei Bedienungshilfen als auch bei Eingabeüberwachung erlauben und dann neu starten.</translation>
    </message>
    <message>
        <source>min</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>min</translation>
    </message>
    <message>
        <source>minimise background hide tray quit</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>verkleinern Hintergrund verbergen Tray beenden</translation>
    </message>
    <message>
        <source>ms</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>ms</translation>
    </message>
    <message>
        <source>nothing</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>nichts</translation>
    </message>
    <message>
        <source>notification area menu bar</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Infobereich Menüleiste Tray</translation>
    </message>
    <message>
        <source>notifications messages</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Benachrichtigungen Meldungen</translation>
    </message>
    <message>
        <source>nucleus random</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nucleus Zufall</translation>
    </message>
    <message>
        <source>off</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>aus</translation>
    </message>
    <message>
        <source>on</source>
        <extracomment>ui/setting_rows.py</extracomment>
        <translation>an</translation>
    </message>
    <message>
        <source>output device headphones</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Ausgabe Gerät Kopfhörer</translation>
    </message>
    <message>
        <source>practice</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Übungspartner</translation>
    </message>
    <message>
        <source>private, kept nowhere</source>
        <extracomment>ui/words.py</extracomment>
        <translation>privat, nirgends aufbewahrt</translation>
    </message>
    <message>
        <source>push to mute shortcut hotkey cough</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Push-to-mute Kürzel Hotkey Husten</translation>
    </message>
    <message>
        <source>push to talk mode open microphone</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Push-to-talk Modus offenes Mikrofon</translation>
    </message>
    <message>
        <source>recogniser, voice and voice activity are installed</source>
        <extracomment>app/access.py</extracomment>
        <translation>Erkenner, Stimme und Sprachaktivität sind installiert</translation>
    </message>
    <message>
        <source>remote deletion sync cloud AWS privacy</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>entfernt löschen Abgleich Cloud AWS Privatsphäre</translation>
    </message>
    <message>
        <source>renewal quota parallel</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Erneuerung Kontingent parallel</translation>
    </message>
    <message>
        <source>retention delete old privacy private</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Aufbewahrung löschen alt Privatsphäre privat</translation>
    </message>
    <message>
        <source>s</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>s</translation>
    </message>
    <message>
        <source>service</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Dienst</translation>
    </message>
    <message>
        <source>settings</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>short pauses</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>kurze Pausen</translation>
    </message>
    <message>
        <source>show what was not spoken</source>
        <extracomment>ui/words.py</extracomment>
        <translation>nicht Gesprochenes zeigen</translation>
    </message>
    <message>
        <source>speaker accent tone</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Sprecher Akzent Klang</translation>
    </message>
    <message>
        <source>starred</source>
        <extracomment>ui/history_model.py</extracomment>
        <translation>mit Stern</translation>
    </message>
    <message>
        <source>store</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>sync</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Abgleich</translation>
    </message>
    <message>
        <source>synced</source>
        <extracomment>ui/id_rows.py ui/words.py</extracomment>
        <translation>abgeglichen</translation>
    </message>
    <message>
        <source>system prompt personality role</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Systemprompt Persönlichkeit Rolle</translation>
    </message>
    <message>
        <source>tail delay</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Nachlauf Verzögerung</translation>
    </message>
    <message>
        <source>the button</source>
        <extracomment>ui/main_window.py</extracomment>
        <translation>den Knopf</translation>
    </message>
    <message>
        <source>the connection failed</source>
        <extracomment>transport/dial.py transport/webway.py</extracomment>
        <translation>die Verbindung kam nicht zustande</translation>
    </message>
    <message>
        <source>the first</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>das erste</translation>
    </message>
    <message>
        <source>the keys of this profile were found</source>
        <extracomment>app/access.py</extracomment>
        <translation>die Schlüssel dieses Profils wurden gefunden</translation>
    </message>
    <message numerus="yes">
        <source>the session store answers, 1 session</source>
        <comment>the session store answers, {n} sessions</comment>
        <extracomment>app/access.py</extracomment>
        <translation>
            <numerusform>der Sitzungsspeicher antwortet, 1 Sitzung</numerusform>
            <numerusform>der Sitzungsspeicher antwortet, {n} Sitzungen</numerusform>
        </translation>
    </message>
    <message>
        <source>the system&apos;s</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>die des Systems</translation>
    </message>
    <message>
        <source>theme dark mode palette</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Thema Dunkelmodus Palette</translation>
    </message>
    <message>
        <source>there is no way to it</source>
        <extracomment>transport/dial.py</extracomment>
        <translation>es führt kein Weg dorthin</translation>
    </message>
    <message>
        <source>this computer is offline</source>
        <extracomment>transport/dial.py</extracomment>
        <translation>dieser Computer ist offline</translation>
    </message>
    <message>
        <source>to</source>
        <comment>from one number to another</comment>
        <extracomment>ui/scenario_rows.py</extracomment>
        <translation>bis</translation>
    </message>
    <message>
        <source>toggle hold double lock</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>umschalten halten doppelt einrasten</translation>
    </message>
    <message>
        <source>tokens</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Tokens</translation>
    </message>
    <message>
        <source>tools functions time</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Werkzeuge Funktionen Zeit</translation>
    </message>
    <message>
        <source>translation locale English German Deutsch</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Übersetzung Locale Englisch Deutsch English German</translation>
    </message>
    <message>
        <source>typed</source>
        <extracomment>ui/words.py</extracomment>
        <translation>geschrieben</translation>
    </message>
    <message>
        <source>under a minute</source>
        <extracomment>ui/words.py</extracomment>
        <translation>unter einer Minute</translation>
    </message>
    <message>
        <source>waiting to sync</source>
        <extracomment>ui/id_rows.py ui/words.py</extracomment>
        <translation>wartet auf den Abgleich</translation>
    </message>
    <message>
        <source>watchdog stuck limit</source>
        <extracomment>ui/setting_table.py</extracomment>
        <translation>Wächter klemmen Grenze</translation>
    </message>
    <message>
        <source>when it comes up</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>beim Loslassen</translation>
    </message>
    <message>
        <source>when it goes down</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>beim Drücken</translation>
    </message>
    <message>
        <source>{day} {month}</source>
        <comment>a date</comment>
        <extracomment>ui/words.py</extracomment>
        <translation>{day}. {month}</translation>
    </message>
    <message>
        <source>{day} {month} {year}</source>
        <comment>a date</comment>
        <extracomment>ui/words.py</extracomment>
        <translation>{day}. {month} {year}</translation>
    </message>
    <message>
        <source>{file} cannot be read ({why}).</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>{file} lässt sich nicht lesen ({why}).</translation>
    </message>
    <message>
        <source>{file} cannot be written ({why}).</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>{file} lässt sich nicht schreiben ({why}).</translation>
    </message>
    <message>
        <source>{file} is too large for settings.</source>
        <extracomment>ui/settings_transfer.py</extracomment>
        <translation>{file} ist zu groß für Einstellungen.</translation>
    </message>
    <message>
        <source>{host} cannot be reached: {why}.</source>
        <extracomment>transport/dial.py</extracomment>
        <translation>{host} ist nicht erreichbar: {why}.</translation>
    </message>
    <message>
        <source>{host} did not answer within {s} seconds.</source>
        <extracomment>transport/dial.py</extracomment>
        <translation>{host} hat nicht innerhalb von {s} Sekunden geantwortet.</translation>
    </message>
    <message>
        <source>{host} does not speak HTTP/2, which live speech needs.</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>{host} spricht kein HTTP/2, das Sprache in Echtzeit braucht.</translation>
    </message>
    <message>
        <source>{host} refused the encrypted connection ({why}).</source>
        <extracomment>transport/trust.py</extracomment>
        <translation>{host} hat die verschlüsselte Verbindung abgewiesen ({why}).</translation>
    </message>
    <message>
        <source>{hours} h {minutes} min</source>
        <extracomment>ui/words.py</extracomment>
        <translation>{hours} h {minutes} min</translation>
    </message>
    <message>
        <source>{keys} or {last}</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>{keys} oder {last}</translation>
    </message>
    <message>
        <source>{label} (optional)</source>
        <extracomment>ui/scenario_fields.py</extracomment>
        <translation>{label} (freiwillig)</translation>
    </message>
    <message>
        <source>{label} is one line.</source>
        <extracomment>scenario.py</extracomment>
        <translation>{label} ist eine Zeile.</translation>
    </message>
    <message>
        <source>{label} takes at most {most} characters; these are {n}.</source>
        <extracomment>scenario.py</extracomment>
        <translation>{label} fasst höchstens {most} Zeichen; das sind {n}.</translation>
    </message>
    <message>
        <source>{minutes} min</source>
        <extracomment>ui/words.py</extracomment>
        <translation>{minutes} min</translation>
    </message>
    <message>
        <source>{name}, being sent…</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>{name}, wird gesendet…</translation>
    </message>
    <message>
        <source>{name}, changing…</source>
        <extracomment>ui/scenario_badge.py</extracomment>
        <translation>{name}, wird geändert …</translation>
    </message>
    <message>
        <source>{name}: trying…</source>
        <extracomment>ui/wizard_access.py</extracomment>
        <translation>{name}: versucht es …</translation>
    </message>
    <message numerus="yes">
        <source>{newest} · 1 more line</source>
        <comment>{newest} · {n} more lines</comment>
        <extracomment>ui/item_models.py</extracomment>
        <translation>
            <numerusform>{newest} · 1 weitere Zeile</numerusform>
            <numerusform>{newest} · {n} weitere Zeilen</numerusform>
        </translation>
    </message>
    <message>
        <source>{n} %</source>
        <comment>a share</comment>
        <extracomment>ui/words.py</extracomment>
        <translation>{n} %</translation>
    </message>
    <message>
        <source>{n} measured</source>
        <extracomment>ui/diagnostics_view.py</extracomment>
        <translation>{n} gemessen</translation>
    </message>
    <message>
        <source>{n} of {most}</source>
        <extracomment>ui/scenario_fields.py</extracomment>
        <translation>{n} von {most}</translation>
    </message>
    <message>
        <source>{presses}, in this window only</source>
        <extracomment>ui/key_test.py</extracomment>
        <translation>{presses}, nur in diesem Fenster</translation>
    </message>
    <message>
        <source>{state} (attempt {n})</source>
        <extracomment>ui/states.py</extracomment>
        <translation>{state} (Versuch {n})</translation>
    </message>
    <message>
        <source>{state} (attempt {n}, in {s} s)</source>
        <extracomment>ui/states.py</extracomment>
        <translation>{state} (Versuch {n}, in {s} s)</translation>
    </message>
    <message>
        <source>{state} (in {s} s)</source>
        <extracomment>ui/states.py</extracomment>
        <translation>{state} (in {s} s)</translation>
    </message>
    <message numerus="yes">
        <source>{state}, 1 step</source>
        <comment>{state}, {n} steps</comment>
        <extracomment>ui/id_rows.py</extracomment>
        <translation>
            <numerusform>{state}, 1 Schritt</numerusform>
            <numerusform>{state}, {n} Schritte</numerusform>
        </translation>
    </message>
    <message>
        <source>{s} s</source>
        <extracomment>ui/answer_time.py</extracomment>
        <translation>{s} s</translation>
    </message>
    <message>
        <source>{s} s of what you said were lost.</source>
        <extracomment>conversation/losses.py</extracomment>
        <translation>{s} s des Gesagten gingen verloren.</translation>
    </message>
    <message>
        <source>{talk} talks and {mute} mutes in every window.</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>In jedem Fenster: Sprechen mit {talk}, Stummschalten mit {mute}.</translation>
    </message>
    <message>
        <source>{talk} talks in every window.</source>
        <extracomment>ui/key_standing.py</extracomment>
        <translation>In jedem Fenster: Sprechen mit {talk}.</translation>
    </message>
    <message>
        <source>{talk} to interrupt, or type {here}</source>
        <extracomment>ui/states.py</extracomment>
        <translation>Zum Unterbrechen {talk} oder {here} schreiben</translation>
    </message>
    <message>
        <source>{talk}, or type to begin</source>
        <extracomment>ui/states.py</extracomment>
        <translation>{talk} oder schreiben, um zu beginnen</translation>
    </message>
    <message>
        <source>{talk}, or type to go on</source>
        <extracomment>ui/states.py</extracomment>
        <translation>{talk} oder schreiben, um fortzufahren</translation>
    </message>
    <message>
        <source>{talk}, or type {here}</source>
        <extracomment>ui/states.py</extracomment>
        <translation>{talk} oder {here} schreiben</translation>
    </message>
    <message>
        <source>{title} (built in)</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>{title} (mitgeliefert)</translation>
    </message>
    <message>
        <source>{title} (copy)</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>{title} (Kopie)</translation>
    </message>
    <message>
        <source>{title} (not saved)</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>{title} (nicht gespeichert)</translation>
    </message>
    <message>
        <source>{variable} is “{text}”, which is not a number.</source>
        <extracomment>settings_file.py</extracomment>
        <translation>{variable} ist „{text}“ und damit keine Zahl.</translation>
    </message>
    <message>
        <source>{variable} is “{text}”, which makes no sense here.</source>
        <extracomment>settings_file.py</extracomment>
        <translation>{variable} ist „{text}“ und hat damit hier keinen Sinn.</translation>
    </message>
    <message>
        <source>{went} older than {age} deleted.</source>
        <extracomment>store/retention.py</extracomment>
        <translation>{went} älter als {age} gelöscht.</translation>
    </message>
    <message>
        <source>{what} NovaDesk uses its own settings until it is mended.</source>
        <extracomment>settings_file.py</extracomment>
        <translation>{what} NovaDesk benutzt seine eigenen Einstellungen, bis das behoben ist.</translation>
    </message>
    <message>
        <source>{what} NovaDesk uses the settings that worked last.</source>
        <extracomment>settings_file.py</extracomment>
        <translation>{what} NovaDesk benutzt die Einstellungen, die zuletzt gingen.</translation>
    </message>
    <message>
        <source>{what} deleted here. Copies in the cloud stay.</source>
        <extracomment>ui/history_actions.py</extracomment>
        <translation>{what} hier gelöscht. Kopien in der Cloud bleiben.</translation>
    </message>
    <message>
        <source>{what} deleted, here and in the cloud.</source>
        <extracomment>ui/history_actions.py</extracomment>
        <translation>{what} gelöscht, hier und in der Cloud.</translation>
    </message>
    <message>
        <source>{what} deleted.</source>
        <extracomment>ui/history_actions.py</extracomment>
        <translation>{what} gelöscht.</translation>
    </message>
    <message>
        <source>{what} is in the clipboard.</source>
        <extracomment>ui/inspector.py</extracomment>
        <translation>{what} ist in der Zwischenablage.</translation>
    </message>
    <message>
        <source>{what} written to {place}.</source>
        <extracomment>ui/export_dialog.py</extracomment>
        <translation>{what} nach {place} geschrieben.</translation>
    </message>
    <message>
        <source>{words} ({code})</source>
        <comment>an error</comment>
        <extracomment>ui/words.py</extracomment>
        <translation>{words} ({code})</translation>
    </message>
    <message>
        <source>{words} Control Z undoes it.</source>
        <extracomment>ui/undo_bar.py</extracomment>
        <translation>{words} Steuerung Z macht es rückgängig.</translation>
    </message>
    <message>
        <source>“{address}” is not the address of a gateway.</source>
        <extracomment>transport/endpoint.py transport/signin_provider.py</extracomment>
        <translation>„{address}“ ist nicht die Adresse eines Gateways.</translation>
    </message>
    <message>
        <source>“{address}” is not the address of a server.</source>
        <extracomment>transport/endpoint.py</extracomment>
        <translation>„{address}“ ist keine Adresse eines Servers.</translation>
    </message>
    <message>
        <source>“{key}” is not a key that NovaDesk knows.</source>
        <extracomment>chord.py</extracomment>
        <translation>„{key}“ ist keine Taste, die NovaDesk kennt.</translation>
    </message>
    <message>
        <source>“{key}” is pressed in every program all the time, so it cannot be a talk key.</source>
        <extracomment>chord.py</extracomment>
        <translation>„{key}“ wird in jedem Programm ständig gedrückt und kann darum keine Sprechtaste sein.</translation>
    </message>
    <message>
        <source>“{label}” cannot be empty.</source>
        <extracomment>ui/settings_window.py</extracomment>
        <translation>„{label}“ darf nicht leer sein.</translation>
    </message>
    <message>
        <source>“{name}” is missing or makes no sense</source>
        <extracomment>feed.py</extracomment>
        <translation>„{name}“ fehlt oder ergibt keinen Sinn</translation>
    </message>
    <message>
        <source>“{region}” is not an AWS region.</source>
        <extracomment>config.py</extracomment>
        <translation>„{region}“ ist keine AWS-Region.</translation>
    </message>
    <message>
        <source>“{title}” is deleted.</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>„{title}“ ist gelöscht.</translation>
    </message>
    <message>
        <source>“{title}” is saved.</source>
        <extracomment>ui/scenario_dialog.py</extracomment>
        <translation>„{title}“ ist gespeichert.</translation>
    </message>
    <message>
        <source>… or type a message</source>
        <extracomment>ui/wizard_talk.py</extracomment>
        <translation>… oder schreiben</translation>
    </message>
</context>
</TS>
