; Inno Setup 6.3 or newer. Run by packaging/windows/installer.py, which gives Version, Arch, Tree, Icon and Out,
; and Sign where there is a certificate.
; For one person by default, without administrator; `/ALLUSERS` installs for everybody.

#ifndef Version
  #error Run packaging/windows/installer.py
#endif
#define Program "novadesk.exe"
#if Arch == "arm64"
  #define Processors "arm64"
#else
  #define Processors "x64compatible"
#endif

[Setup]
; The same for ever: by it an update finds what it replaces.
AppId={{6C0D4E0B-5C1B-4B0A-9A57-3C6F0E6E7D21}
AppName=NovaDesk
AppVersion={#Version}
AppVerName=NovaDesk {#Version}
AppPublisher=The NovaDesk authors
VersionInfoVersion={#NumericVersion}
VersionInfoProductTextVersion={#Version}
DefaultDirName={autopf}\NovaDesk
DisableProgramGroupPage=yes
DisableDirPage=auto
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog commandline
ArchitecturesAllowed={#Processors}
ArchitecturesInstallIn64BitMode={#Processors}
; Windows 10 1809: the oldest that Qt 6.12 runs on.
MinVersion=10.0.17763
LicenseFile={#Tree}\LICENSE
OutputDir={#Out}
OutputBaseFilename=NovaDesk-{#Version}-windows-{#Arch}
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\{#Program}
UninstallDisplayName=NovaDesk
Compression=lzma2/max
SolidCompression=yes
WizardStyle=modern
CloseApplications=yes
RestartApplications=no
#ifdef Sign
SignTool=novadesk
SignedUninstaller=yes
#endif

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "de"; MessagesFile: "compiler:Languages\German.isl"

[CustomMessages]
en.StaysHere=NovaDesk has been removed. Your conversations and settings stay in%n%n%1%n%nDelete that folder if you do not want them any more.
de.StaysHere=NovaDesk ist entfernt. Ihre Gespräche und Einstellungen bleiben in%n%n%1%n%nLöschen Sie diesen Ordner, wenn Sie sie nicht mehr haben wollen.

[Tasks]
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked

; No library of an older version may stay beside the new ones.
[InstallDelete]
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Tree}\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{autoprograms}\NovaDesk"; Filename: "{app}\{#Program}"; WorkingDir: "{app}"
Name: "{autodesktop}\NovaDesk"; Filename: "{app}\{#Program}"; WorkingDir: "{app}"; Tasks: desktopicon

[Registry]
; `novadesk` in the Run dialog.
Root: HKA; Subkey: "Software\Microsoft\Windows\CurrentVersion\App Paths\{#Program}"; ValueType: string; ValueData: "{app}\{#Program}"; Flags: uninsdeletekey
; What the program itself writes when it is to start with Windows.
Root: HKCU; Subkey: "Software\Microsoft\Windows\CurrentVersion\Run"; ValueType: none; ValueName: "novadesk"; Flags: uninsdeletevalue dontcreatekey

[Run]
Filename: "{app}\{#Program}"; Description: "{cm:LaunchProgram,NovaDesk}"; Flags: nowait postinstall skipifsilent

[Code]
procedure QuitProgram;
var
  Status: Integer;
begin
  if FileExists(ExpandConstant('{app}\{#Program}')) then
    Exec(ExpandConstant('{app}\{#Program}'), 'ctl quit', '', SW_HIDE, ewWaitUntilTerminated, Status);
end;

function PrepareToInstall(var NeedsRestart: Boolean): String;
begin
  QuitProgram;
  Result := '';
end;

procedure CurUninstallStepChanged(CurUninstallStep: TUninstallStep);
begin
  if CurUninstallStep = usUninstall then
    QuitProgram
  else if (CurUninstallStep = usPostUninstall) and not UninstallSilent then
    MsgBox(FmtMessage(CustomMessage('StaysHere'), [ExpandConstant('{localappdata}\novadesk')]), mbInformation, MB_OK);
end;
